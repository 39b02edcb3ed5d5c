"""One run of unlearning: its record, what it needs, and its execution."""
