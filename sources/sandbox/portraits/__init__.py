"""The portraits of the embedded world, drawn from a few features."""
