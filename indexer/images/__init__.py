"""Pictures: from a reference to bytes, from bytes to an upright RGB picture, within limits."""
