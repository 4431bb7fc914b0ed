"""kill -9 of any process at any moment, round after round, and what must hold afterwards."""
