"""Statements of Wikidata to facts: properties, accepted answers, and what is left out and why."""
