"""`python -m flows` is `ppubench`."""

from flows.cli import main

main()
