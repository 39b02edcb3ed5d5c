"""Python literals in text columns: dictionaries and lists written with `str`, read without running them."""

import ast
import json

MOST_CHARACTERS = 1_000_000
"""A longer cell is refused before it is parsed: the parser's memory is many times the text's."""


def parse_literal(text: str) -> object:
    """The value that a cell spells, as JSON or as a Python literal. Nothing in it is ever evaluated as code.

    Raises ValueError, in a few words, for anything else.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"{len(text):,} characters are too many for a literal")
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        raise ValueError(f"is neither JSON nor a Python literal ({text.strip()[:60]!r})") from error
