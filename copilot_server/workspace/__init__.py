"""What the other files of a workspace say about the code at a cursor."""
