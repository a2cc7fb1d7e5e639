"""What a model's text goes through before it is shown."""
