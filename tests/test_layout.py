"""The layout, checked on the source: import direction, circles, sizes, names, faces, and every path that is named."""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from tests.documents import PAGES, ROOT

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
FACES = {
    "unlearn.losses": {"TERMS", "Measured", "Samples", "Term", "boundary_margin", "sequence_nll", "token_nll"},
    "unlearn.methods": {"METHODS", "Measured", "Method", "Samples", "Term"},
    "eval.scores": {"exact_match", "outcome", "parse_choice", "rouge_l", "score"},
    "eval.metrics": {"METRICS", "Metric", "Prediction"},
}
"""Folders with public names, and those of them that docs and users' files rely on."""
MOST_ENTRIES = 14
MOST_PARAMETERS = 8
STILL_LONGER = frozenset({
    "curation/facts/facts.py:facts_of",
    "flows/commands/publish.py:publish_command",
    "unlearn/runs/prepare.py:prepare",
    "unlearn/schedules.py:turns",
    "unlearn/training/loop.py:train",
})  # fmt: skip
"""Functions that take more and are to take a record; none is to be added."""
PASSED_OVER = {"build", "dist", "env", "lib", "node_modules", "site-packages", "venv"}
"""Names of folders that pytest, ruff or a usual .gitignore leave out without a word."""
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
FOLDERS = sorted({*(path.parent for path in MODULES), *(path.parent for path in TESTS)})
_ANY = "|".join((*PACKAGES, "tests", "benchmarks", "docs"))
_PATH = re.compile(rf"(?<![\w/.*<{{-])((?:{_ANY})/[\w./-]*\w\.(?:py|toml|csv|md|js|css|j2|jinja|html|svg|png|mjs))\b")
_DOTTED = re.compile(rf"(?<![\w./@-])((?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+)")


def imports_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def bound_in(path: Path) -> frozenset[str]:
    """Names at the top of a module, those that it imports among them: a test may put something else there."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        targets = node.targets if isinstance(node, ast.Assign) else [node]
        for target in targets:
            if isinstance(target, ast.FunctionDef | ast.ClassDef):
                found.add(target.name)
            elif isinstance(target, ast.Import | ast.ImportFrom):
                found.update((alias.asname or alias.name).split(".")[0] for alias in target.names)
            elif isinstance(target, ast.AnnAssign):
                found.add(ast.unparse(target.target))
            else:
                found.update(entry.id for entry in ast.walk(target) if isinstance(entry, ast.Name))
    return frozenset(found)


BY_NAME = {module_of(path): path for path in MODULES}


@cache
def import_graph() -> Mapping[str, Set[str]]:
    """Module -> modules of ours that it imports, anywhere in its text."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, path in BY_NAME.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                full = {f"{node.module}.{alias.name}" for alias in node.names}
                found[name] |= {each if each in BY_NAME else node.module for each in full} & BY_NAME.keys()
            elif isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names} & BY_NAME.keys()
        found[name].discard(name)
    return found


def circle_in(graph: Mapping[str, Set[str]]) -> list[str]:
    """Nodes of which each leads to the next and the last to the first; [] if there are none."""
    done: set[str] = set()
    way: list[str] = []

    def walk(node: str) -> list[str]:
        if node in way:
            return way[way.index(node) :]
        if node in done:
            return []
        way.append(node)
        for other in sorted(graph.get(node, ())):
            if found := walk(other):
                return found
        done.add(way.pop())
        return []

    return next((found for node in sorted(graph) if (found := walk(node))), [])


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_flow_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    found = {name.split(".")[0] for name in imports_of(ast.parse(path.read_text()))}
    assert found & set(PACKAGES) <= MAY_IMPORT[package]


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle_in(import_graph()) == []


def test_no_folders_import_each_other_in_a_circle() -> None:
    graph: defaultdict[str, set[str]] = defaultdict(set)
    for name, others in import_graph().items():
        here = module_of(BY_NAME[name].parent / "__init__.py")
        graph[here] |= {module_of(BY_NAME[other].parent / "__init__.py") for other in others} - {here}
    assert circle_in(graph) == []


def test_a_circle_is_found_wherever_it_begins() -> None:
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": {"b"}}) == ["b", "c", "d"]
    assert circle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


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


def test_no_function_takes_more_parameters_than_a_reader_can_hold() -> None:
    longer = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                taken = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                if len([each for each in taken if each.arg not in ("self", "cls")]) > MOST_PARAMETERS:
                    longer.add(f"{name_of(path)}:{node.name}")
    assert longer == STILL_LONGER


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_is_a_drawer_or_shadows_another(path: Path) -> None:
    stem = path.stem
    assert stem not in {"utils", "util", "helpers", "common", "base", "manager", "misc"}
    if stem not in ("__init__", "__main__"):
        assert stem not in sys.stdlib_module_names
        assert stem not in PACKAGES


def _is_left_over(path: Path) -> bool:
    """Whether nothing is in a folder but what Python compiled: an older tree had modules there."""
    return path.is_dir() and all(each.suffix == ".pyc" for each in path.rglob("*") if each.is_file())


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_folder_holds_few_entries_and_no_tool_passes_it_over(folder: Path) -> None:
    entries = [path.name for path in folder.iterdir() if path.name != "__init__.py" and not _is_left_over(path)]
    assert len(entries) <= MOST_ENTRIES
    assert folder.name not in PASSED_OVER


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=name_of)
def test_an_init_is_one_sentence_unless_it_is_a_face(path: Path) -> None:
    if module_of(path) not in (*FACES, "flows"):  # flows settles threads before torch is loaded
        assert len(ast.parse(path.read_text()).body) == 1


def test_every_folder_with_modules_is_a_package() -> None:
    assert [
        name_of(folder) for folder in {path.parent for path in MODULES} if not (folder / "__init__.py").exists()
    ] == []


@pytest.mark.parametrize("face", FACES)
def test_a_face_gives_what_it_lists_and_lists_what_is_relied_on(face: str) -> None:
    module = import_module(face)
    listed: list[str] = module.__all__
    assert FACES[face] <= set(listed)
    assert len(set(listed)) == len(listed)
    assert [name for name in listed if getattr(module, name, None) is None] == []


def test_every_package_resolves_to_this_checkout() -> None:
    for package in PACKAGES:
        module = __import__(package)
        assert module.__file__ is not None
        assert Path(module.__file__).resolve().is_relative_to(ROOT)


def test_no_folder_of_tests_is_a_package() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


@pytest.mark.parametrize(
    "path",
    [path for path in TESTS if path.name.startswith("test_") and path.parent != ROOT / "tests"],
    ids=name_of,
)
def test_every_test_stands_where_its_module_stands(path: Path) -> None:
    folder = ROOT / path.parent.relative_to(ROOT / "tests")
    assert list(folder.glob("*.py")), f"{name_of(folder)} holds no modules"


def _named(text: str) -> Iterator[str]:
    """What a text names of ours and is not there."""
    for found in _PATH.findall(text):
        if not (ROOT / found).exists():
            yield found
    for found in _DOTTED.findall(text):
        parts = found.split(".")
        known = max((size for size in range(1, len(parts) + 1) if ".".join(parts[:size]) in BY_NAME), default=0)
        if known and known < len(parts):
            path = BY_NAME[".".join(parts[:known])]
            if parts[known] not in bound_in(path) and parts[known] not in FACES.get(module_of(path), ()):
                yield found


TEXTS = [
    *PAGES,
    ROOT / "Makefile",
    ROOT / "pyproject.toml",
    ROOT / "benchmarks" / "RESULTS.md",
    *sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.toml")),
]


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_every_path_that_a_page_names_is_there(path: Path) -> None:
    assert list(_named(path.read_text())) == []


@pytest.mark.parametrize("path", [*MODULES, *TESTS, *sorted((ROOT / "benchmarks").glob("*.py"))], ids=name_of)
def test_every_path_that_a_module_names_is_there(path: Path) -> None:
    assert list(_named(path.read_text())) == []
