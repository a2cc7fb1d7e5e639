"""From prompts to tokens: one loop over a runner."""
