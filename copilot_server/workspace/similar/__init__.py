"""Code of other files that is like the code around a cursor, in any language, without a parser."""
