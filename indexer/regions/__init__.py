"""The object in the photo: where it is, what it may be, its crop, and what agrees with another picture."""
