"""From pictures and texts to embeddings: the embedder port, its backends, and what a space is made of."""
