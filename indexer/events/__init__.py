"""Changes of single products: what is known of each, how it meets feeds, and how it reaches the store."""
