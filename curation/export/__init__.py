"""The published dataset of a build: its rows, its Parquet and split files, and what changed between two."""
