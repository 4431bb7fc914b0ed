"""Backups of an embedded installation: made while it serves and is written to, restored into an empty folder."""
