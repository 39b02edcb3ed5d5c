"""The publish gate: what a dataset must pass before it leaves the machine."""
