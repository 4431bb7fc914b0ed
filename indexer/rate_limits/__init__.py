"""How much each client may ask for: token buckets, and where they are kept."""
