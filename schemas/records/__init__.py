"""Records between stages, and those of evaluations and studies."""
