"""Unlearning methods: the table of them, their objective, and what each needs besides."""

from unlearn.losses.terms import Measured, Samples, Term
from unlearn.methods.table import METHODS, Method

__all__ = ["METHODS", "Measured", "Method", "Samples", "Term"]
