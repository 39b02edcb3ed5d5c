"""Temporary name; see schemas.origins."""

from schemas.origins import *  # noqa: F403
