"""Typed reading of JSON from outside: each function names the path of what is not as it should be."""

from collections.abc import Mapping

from pydantic import JsonValue


def as_object(value: JsonValue, path: str) -> dict[str, JsonValue]:
    """A JSON object; absent values and PHP's empty list count as the empty object. Raises ValueError."""
    if value is None or value == []:
        return {}
    if isinstance(value, dict):
        return value
    raise ValueError(f"{path}: an object was expected, found {_shown(value)}")


def as_list(value: JsonValue, path: str) -> list[JsonValue]:
    """A JSON list; absent values and the empty object count as the empty list. Raises ValueError.

    So does an object with numbers for keys, as PHP writes a list with gaps.
    """
    if value is None or value == {}:
        return []
    if isinstance(value, dict) and all(key.isascii() and key.isdigit() for key in value):
        return [value[key] for key in sorted(value, key=int)]
    if isinstance(value, list):
        return value
    raise ValueError(f"{path}: a list was expected, found {_shown(value)}")


def as_text(value: JsonValue, path: str) -> str:
    """A string, or a number as its text. Raises ValueError."""
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            raise ValueError(f"{path}: holds half a character (a lone surrogate)")
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{path}: a string was expected, found {_shown(value)}")


def as_int(value: JsonValue, path: str) -> int:
    """An integer, also if it is written as a string. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    raise ValueError(f"{path}: an integer was expected, found {_shown(value)}")


def text_at(found: Mapping[str, JsonValue], key: str, path: str) -> str:
    """The string under a key, "" if it is absent or null. Raises ValueError for other types."""
    value = found.get(key)
    return "" if value is None else as_text(value, f"{path}.{key}")


def int_at(found: Mapping[str, JsonValue], key: str, path: str) -> int:
    """The integer under a key, 0 if it is absent or null. Raises ValueError for other types."""
    value = found.get(key)
    return 0 if value is None else as_int(value, f"{path}.{key}")


def folded(text: str) -> str:
    """The text with every run of white space as one space and none at the ends."""
    return " ".join(text.split())


def _shown(value: JsonValue) -> str:
    return f"{type(value).__name__} {str(value)[:40]!r}"
