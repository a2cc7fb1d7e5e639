"""What the user is writing: the document, the cursor, and the function around it. Knows nothing of models."""
