"""What answers prompts: a local model, or servers that speak OpenAI's API."""
