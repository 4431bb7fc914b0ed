"""What scores mean: probabilities and levels of match, fitted on the catalog itself and kept with its collection."""
