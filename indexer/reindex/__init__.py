"""A whole catalog indexed anew while the old index serves: fill, catch up, verify, promote, roll back, prune."""
