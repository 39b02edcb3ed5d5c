"""The import direction, module sizes and names that STYLE asks for, checked on the source itself."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import ROOT

PACKAGES = ("schemas", "sources", "curation", "unlearn", "eval", "flows")
MAY_IMPORT = {
    "schemas": {"schemas"},
    "sources": {"schemas", "sources"},
    "curation": {"schemas", "curation"},
    "unlearn": {"schemas", "unlearn"},
    "eval": {"schemas", "eval"},
    "flows": set(PACKAGES),
}
MAY_IMPORT_TORCH = ("unlearn/", "eval/", "sources/sandbox/tiny_model.py", "flows/")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imports_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_flow_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    found = {name.split(".")[0] for name in imports_of(ast.parse(path.read_text()))}
    assert found & set(PACKAGES) <= MAY_IMPORT[package]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_flows_imports_prefect_and_only_model_code_imports_torch(path: Path) -> None:
    found = {name.split(".")[0] for name in imports_of(ast.parse(path.read_text()))}
    if not name_of(path).startswith("flows/"):
        assert "prefect" not in found
    if not name_of(path).startswith(MAY_IMPORT_TORCH):
        assert not found & {"torch", "transformers", "peft", "accelerate"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_opens_with_a_docstring_and_stays_readable_in_length(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "a module opens with one or two sentences"
    assert len(text.splitlines()) <= 350


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_is_a_drawer_or_shadows_another(path: Path) -> None:
    stem = path.stem
    assert stem not in {"utils", "util", "helpers", "common", "base", "manager", "misc"}
    if stem not in ("__init__", "__main__"):
        assert stem not in sys.stdlib_module_names
        assert stem not in PACKAGES


def test_every_package_resolves_to_this_checkout() -> None:
    for package in PACKAGES:
        module = __import__(package)
        assert module.__file__ is not None
        assert Path(module.__file__).resolve().is_relative_to(ROOT)


def test_no_folder_of_tests_is_a_package() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))
