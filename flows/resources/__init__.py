"""What stages are given: sources, responders, datasets, the embedded target, users' own code."""
