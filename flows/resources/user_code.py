"""Methods, metrics and readers from a user's own file, named as `path/to/file.py:NAME` where ours have a word.

The file is run as Python, so it is only ever read where the user typed its path.
"""

import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, TypeVar

from schemas.errors import BadInput
from schemas.storage.tables import file_sha256

if TYPE_CHECKING:
    from eval.metrics.aggregate import Metric
    from schemas.records.adopted import Adopted
    from sources.benchmarks.raw_rows import BenchmarkFolder
    from unlearn.methods.rows.method import Method

T = TypeVar("T")

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
"""How a method or metric of one's own may be called: it becomes part of folder names."""


def is_own(word: str) -> bool:
    """Whether a word names an object of a Python file, and not one of ours."""
    return ".py:" in word


def find_method(word: str, *, boundary: bool = False) -> "Method":
    """The method of that name, or of the user's file; raises BadInput for neither, and for one that cannot work."""
    from unlearn.methods.table import METHODS, check_own_method, method_named, with_boundary

    if word.endswith(".py"):
        raise BadInput(f"method {word!r}", "names a file, and no method in it", f"write FILE.py:NAME, as {word}:METHOD")
    if not is_own(word):
        return method_named(word, boundary=boundary)
    found, code = _load(word, _method_type())
    _check_name(word, found.name, taken=tuple(METHODS))
    method = check_own_method(word, found, code=code)
    return with_boundary(method) if boundary else method


def find_metric(word: str) -> "Metric":
    """The metric of the user's file; raises BadInput if there is none."""
    from dataclasses import replace

    from eval.metrics.aggregate import METRICS, Metric

    if not is_own(word):
        raise BadInput(f"metric {word!r}", "is not FILE.py:NAME", "ours are always measured; name one of your own")
    found, code = _load(word, Metric)
    _check_name(word, found.name, taken=METRICS)
    return replace(found, code=code)


def find_reader(word: str) -> "Callable[[BenchmarkFolder], Adopted]":
    """The function of the user's file that reads a benchmark; raises BadInput if there is none."""
    found, _ = _load(word, FunctionType)
    return found


def _method_type() -> type["Method"]:
    from unlearn.methods.rows.method import Method

    return Method


def _load(word: str, kind: type[T]) -> tuple[T, str]:
    """The object and the digest of its file, by which a changed file is another method."""
    place, _, name = word.rpartition(":")
    path = Path(place)
    if not path.is_file():
        raise BadInput(word, f"there is no file {place}", "write FILE.py:NAME, the path as seen from here")
    code = file_sha256(path)[:32]
    spec = importlib.util.spec_from_file_location(f"ppubench_own_{code}", path)
    if spec is None or spec.loader is None:
        raise BadInput(word, "cannot be read as Python", "name a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BadInput(place, f"{type(error).__name__}: {error}", "mend the file") from error
    found = getattr(module, name, None)
    if not isinstance(found, kind):
        there = sorted(key for key, value in vars(module).items() if isinstance(value, kind))
        raise BadInput(
            word, f"{name} is not a {kind.__name__}", f"it has {', '.join(there)}" if there else f"make {name} one"
        )
    return found, code


def _check_name(word: str, name: str, *, taken: tuple[str, ...]) -> None:
    if not NAME.fullmatch(name.replace("_", "-")):
        raise BadInput(word, f"is called {name!r}", "use small letters, digits and hyphens")
    if name in taken:
        raise BadInput(word, f"is called {name!r}, like one of ours", "give it another name")
