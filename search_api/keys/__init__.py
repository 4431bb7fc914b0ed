"""API keys: made, kept as digests, followed by running servers."""
