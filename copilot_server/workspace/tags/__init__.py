"""Languages other than Python: the definitions of files by queries, and which ones a cursor's code names."""
