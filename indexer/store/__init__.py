"""Storing points and finding products: the vector store port, Qdrant Edge on disk, a Qdrant server."""
