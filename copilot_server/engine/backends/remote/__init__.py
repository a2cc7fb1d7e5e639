"""An engine on another machine, or in another process: whatever speaks OpenAI's completions API."""
