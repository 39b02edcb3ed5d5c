"""README and docs hold what they say: commands run, code works, links lead somewhere, generated pages are current.

A block that needs more than this machine has says so in its opening line (```sh needs=network,gpu); its commands are
checked for their words and options, and not run.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from eval.metrics.aggregate import METRICS
from flows.cli import main  # noqa: F401 - registers the commands
from flows.commands import field_docs
from flows.commands.terminal import app
from schemas.recipes.build_recipe import BuildRecipe
from schemas.records.study import EvaluateConfig, StudyRecipe
from tests.documents import PAGES, ROOT, Block, blocks
from tests.servers.forked import run_ppubench
from tests.worlds.small_build import environment
from tests.worlds.tiny_models import tiny_qwen

NEEDS = frozenset({"network", "gpu", "server", "postgres", "cron", "cluster", "dump", "weights", "reader"})
LANGUAGES = frozenset({"sh", "python", "toml", "text", "json", "csv"})
ALL = [block for page in PAGES for block in blocks(page)]
SHELL = [block for block in ALL if block.language == "sh"]
OURS = [(block, command) for block in SHELL for command in block.commands if command.startswith("ppubench ")]
RUN = list(dict.fromkeys(command for block, command in OURS if not block.needs))


def where(block: Block) -> str:
    return f"{block.page}:{block.line}"


@pytest.mark.parametrize("block", ALL, ids=where)
def test_a_block_says_its_language_and_what_it_needs(block: Block) -> None:
    assert block.language in LANGUAGES
    assert set(block.needs) <= NEEDS


@pytest.mark.parametrize("block", [block for block in SHELL if not block.needs], ids=where)
def test_a_shell_block_that_needs_nothing_holds_only_commands_that_a_test_runs(block: Block) -> None:
    for command in block.commands:
        assert command.split()[0] in ("ppubench", "make"), command


@pytest.mark.parametrize("block, command", OURS, ids=lambda value: value if isinstance(value, str) else where(value))
def test_every_command_has_only_words_that_ppubench_knows(block: Block, command: str) -> None:
    words = shlex.split(command)[1:]
    chosen = vars(typer.main.get_command(app))["commands"][words[0]]
    chosen.make_context(words[0], list(words[1:]))  # raises for an unknown option or a missing argument


@pytest.mark.parametrize(
    "command", [line for block in SHELL for line in block.commands if line.startswith("make ")], ids=str
)
def test_every_make_target_exists(command: str) -> None:
    done = subprocess.run([*shlex.split(command), "-n"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", [block for block in ALL if block.language == "toml"], ids=where)
def test_every_toml_is_toml_with_keys_that_recipes_have(block: Block) -> None:
    known = {**BuildRecipe.model_fields, **StudyRecipe.model_fields}
    found = tomllib.loads(block.text)
    if "source" in found and "export" in found:
        BuildRecipe.model_validate(found)
    for key, value in found.items():
        assert key in known, key
        if key == "evaluate":
            assert set(value) <= set(EvaluateConfig.model_fields)
        elif isinstance(value, dict) and (section := BuildRecipe.model_fields.get(key)) is not None:
            fields = getattr(section.annotation, "model_fields", None)
            assert fields is None or set(value) <= set(fields), key


@pytest.mark.parametrize("block", [block for block in ALL if block.language == "python"], ids=where)
def test_every_python_block_compiles(block: Block) -> None:
    compile(block.text, where(block), "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_picture_leads_to_something(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path) if path else page
        assert place.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)$", place.read_text(), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in heads}, target


def test_the_page_of_data_fields_is_what_the_schemas_say() -> None:
    found = (ROOT / "docs" / "data-fields.md").read_text()
    assert found == field_docs.page(), "write it again: python -m flows.commands.field_docs > docs/data-fields.md"


def test_every_page_is_in_the_list_of_pages() -> None:
    listed = (ROOT / "docs" / "README.md").read_text()
    assert [page.name for page in PAGES[1:] if page.name != "README.md" and f"({page.name})" not in listed] == []


def small_study(text: str) -> str:
    """The demo's study with one method of two steps, and a third of its questions."""
    for pattern, instead in (
        (r"methods = \[.*?\]", 'methods = ["gd"]'),
        (r"jobs = \d+", "jobs = 1"),
        (r"tasks = \[.*?\]", 'tasks = ["generation"]'),
        (r"attacks = \[.*?\]", 'attacks = ["view_002"]'),
        (r"routes = \[.*?\]", 'routes = ["asked"]'),
        (r"utility = \d+", "utility = 0"),
        (r"\[evaluate\]", "numbers = { steps = 2 }\n\n[evaluate]"),
    ):
        text, count = re.subn(pattern, instead, text, count=1)
        assert count, pattern
    return text


@pytest.fixture(scope="module")
def place(finished: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a reader has it after `make demo`, with a small build, study and target in the demo's place."""
    build, recipe = finished
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(build, folder / "builds" / "demo")
    (folder / "builds" / "demo" / "target").mkdir(exist_ok=True)
    shutil.copytree(tiny_qwen(folder / "tiny"), folder / "builds" / "demo" / "target", dirs_exist_ok=True)
    recipes = folder / "flows" / "recipes"
    shutil.copytree(ROOT / "flows" / "recipes", recipes)
    (recipes / "demo.toml").write_text(recipe.read_text())
    (recipes / "demo_study.toml").write_text(small_study((recipes / "demo_study.toml").read_text()))
    for block in ALL:
        if block.file:
            (folder / block.file).write_text(block.text)
    return folder


def ppubench(home: Path, place: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    return run_ppubench(*words, env=environment(home), cwd=place)


@pytest.mark.slow
def test_the_commands_run_as_they_stand(home: Path, place: Path) -> None:
    """In the order of the pages; a command that stands on several is run once. Two steps and one task will do."""
    assert len(RUN) >= 15
    for command in RUN:
        words = shlex.split(command)[1:]
        words += {"unlearn": ["--steps", "2"], "evaluate": ["--tasks", "generation"]}.get(words[0], [])
        done = ppubench(home, place, words)
        assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])


@pytest.mark.slow
def test_the_python_of_the_readme_runs(place: Path, tmp_path: Path) -> None:
    (block,) = [block for block in ALL if block.language == "python" and block.page == "README.md"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", block.text],
        cwd=place,
        env={**os.environ, "HF_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_every_figure_is_explained() -> None:
    page = (ROOT / "docs" / "figures.md").read_text()
    told = set(re.findall(r"`([a-z_0-9]+)`", page))
    assert set(METRICS) <= told, f"docs/figures.md lacks {sorted(set(METRICS) - told)}"
