"""Answers beside the trained ones: refusals, alternatives, mixed and decoupled prompts; and what samples weigh."""
