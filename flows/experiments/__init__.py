"""Runs of unlearning and studies over many of them, to the report."""
