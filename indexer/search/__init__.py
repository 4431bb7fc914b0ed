"""What a search is beyond nearest vectors: composed queries, pages, diversity, duplicates."""
