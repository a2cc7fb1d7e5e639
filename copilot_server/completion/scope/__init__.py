"""What the cursor stands in, and where a completion of it ends."""
