"""Arms beside each other: paired differences, ranking, curves, and whether they may be compared."""
