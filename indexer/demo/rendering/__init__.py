"""A software renderer for made-up products: numpy and Pillow only, the same pixels for the same seeds."""
