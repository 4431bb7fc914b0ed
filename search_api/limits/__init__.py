"""What is refused before work is done for it: too much, too often, too slow, too deep."""
