"""The search API\x27s parts, without HTTP."""
