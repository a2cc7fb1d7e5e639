"""What a self-test reports: on the console, as JSON, as HTML."""
