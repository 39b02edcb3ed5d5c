"""Unlearning methods: the table of them, their objective, and what each needs besides."""

from unlearn.losses.term import Measured, Samples, Term
from unlearn.methods.rows.method import Method
from unlearn.methods.table import METHODS

__all__ = ["METHODS", "Measured", "Method", "Samples", "Term"]
