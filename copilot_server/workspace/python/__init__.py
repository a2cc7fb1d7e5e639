"""Python: what a file defines and imports, which file a module is, and what a document's code names."""
