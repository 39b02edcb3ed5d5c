"""The tasks of an evaluation: rows of a published dataset to questions, and their wording."""
