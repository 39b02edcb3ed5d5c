"""Routes to a fact that should be gone, and what was lost: what is asked on each, and what its answers show."""
