"""Vitrine's core: what a product point is, how it is embedded, written and read. No broker, no web framework."""
