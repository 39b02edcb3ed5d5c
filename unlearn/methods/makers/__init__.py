"""Makers: methods that compute an intervention from statistics instead of training one, a file for each kind."""
