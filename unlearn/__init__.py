"""Unlearning methods under one loop, on any Hugging Face vision-language model."""
