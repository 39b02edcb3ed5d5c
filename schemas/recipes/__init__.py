"""Recipes: what a build is told, and where its people come from."""
