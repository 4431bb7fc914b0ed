"""Attributes that are told from pictures: a taxonomy's values, held against the stored vectors."""
