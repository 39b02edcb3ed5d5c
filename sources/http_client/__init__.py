"""One polite HTTP client: User-Agent, rate limits, retries, cache."""
