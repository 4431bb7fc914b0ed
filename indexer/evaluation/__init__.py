"""How well searching works: labelled queries, metrics with their uncertainty."""
