"""Words of products and queries: what a search for an article number, a model name or a rare brand compares."""
