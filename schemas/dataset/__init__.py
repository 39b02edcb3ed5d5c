"""The published dataset as a format: its layout, samples and split files, and how it is read."""
