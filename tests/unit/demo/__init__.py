"""Tests of the demo: pictures, captions, catalog, tokenizer, training data."""
