"""Requests: what people want gone, one after another, on top of what was unlearned before."""
