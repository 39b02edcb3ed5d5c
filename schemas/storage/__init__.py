"""Records on disk: tables, artifacts with their keys, atomic files, logs of lines."""
