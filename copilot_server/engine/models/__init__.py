"""What a model is made of: its architecture, tokenizer, vocabulary and files."""
