"""Responders, tasks, scores, metrics and the report."""
