"""Packed rows: samples that begin alike share their beginning, and each is computed as if it stood alone."""
