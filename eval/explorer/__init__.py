"""The explorer of a build: one page to look at its subjects, facts, pictures and drops."""
