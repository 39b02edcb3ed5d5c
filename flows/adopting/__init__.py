"""Adopting another benchmark: from its published files to a dataset in the layout of our exports."""
