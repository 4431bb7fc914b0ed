"""Coverage-guided fuzzing of what reads strangers' bytes, and the corpus that it found."""
