"""A language model that fills forms: its calls, its budget, and the judge of replies."""
