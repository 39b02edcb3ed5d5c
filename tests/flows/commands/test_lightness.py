"""Small commands are small: lists and refusals come before anything heavy is imported. Counted in a fresh process."""

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.documents import ROOT

HEAVY = ("torch", "transformers", "datasets", "peft", "accelerate", "prefect", "pandas", "distributed")
TABLES = ("pyarrow", "numpy", "scipy", "PIL", "requests", "rich", "openai", "huggingface_hub")
PROCESSOR_S = 1.0
"""What a list may take. On two slow cores each takes 0.2 to 0.3 s."""
COUNT = """
import json, resource, sys
from flows.cli import main
try:
    main(sys.argv[2:])
except SystemExit as end:
    status = end.code
used = resource.getrusage(resource.RUSAGE_SELF)
found = [name for name in json.loads(sys.argv[1]) if name in sys.modules]
print(json.dumps([status, used.ru_utime + used.ru_stime, found]))
"""


@dataclass(frozen=True)
class Ran:
    status: int
    processor_s: float
    imported: tuple[str, ...]
    said: str


@cache
def ran(*words: str) -> Ran:
    """What a command came to, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT, json.dumps([*HEAVY, *TABLES]), *words],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    status, processor_s, imported = json.loads(done.stdout.splitlines()[-1])
    return Ran(status, processor_s, tuple(imported), done.stderr)


LISTS = [("--help",), ("methods",), ("attacks",), ("stages",), ("methods", "--json"), ("unlearn", "--help")]


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_a_list_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    assert ran(*words).status == 0
    assert ran(*words).imported == ()


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_a_list_takes_less_than_a_second_of_the_processor(words: tuple[str, ...]) -> None:
    assert ran(*words).processor_s < PROCESSOR_S


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what commands can be pointed at by mistake."""
    folder = tmp_path_factory.mktemp("places")
    (folder / "file").write_text("x")
    (folder / "empty").mkdir()
    (folder / "no.toml").write_text("name = ")
    (folder / "odd.toml").write_text('name = "x"\nwhat = 1\n')
    model = folder / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    study = 'name = "s"\ndataset = "nowhere"\nmodel = "some/model"\nsettings = ["selective"]\n'
    (folder / "method.toml").write_text(study + 'methods = ["gd-jiont"]\n')
    (folder / "folder.toml").write_text(study.replace("some/model", "/nowhere") + 'methods = ["gd"]\n')
    build = 'name = "b"\n[source]\nkind = "sandbox"\npeople = 4\n[probe]\nresponder = "{}"\n'
    (folder / "responder.toml").write_text(build.format("hf:/nowhere/at/all"))
    (folder / "property.toml").write_text(build.format("hf:sandbox") + '[facts]\nexclude = ["P0"]\n')
    return folder


UNLEARN = "unlearn DATA --setting selective --out {}/out"
EVALUATE = "evaluate DATA --setting selective --out {}/out"
REFUSALS = {
    "nonsense": "No such command",
    "unlearn": "Missing argument",
    f"{UNLEARN} --model some/model --method nope": "method 'nope': is not known",
    f"{UNLEARN} --model some/model --method gd --preset nope": "preset 'nope'",
    f"{UNLEARN} --model some/model --method gd --modality nope": "modality 'nope'",
    f"{UNLEARN} --model some/model --method manu --steps 5": "--steps with manu: it prunes and does not train",
    f"{UNLEARN} --model some/model --method manu --memory 5": "--memory with manu: it prunes and does not train",
    f"{UNLEARN} --model some/model --method msa --memory 1": "--memory with msa: it computes what it leaves",
    f"{UNLEARN} --model some/model --method ssd --lr 1": "--lr with ssd: it computes what it leaves and does not train",
    f"{UNLEARN} --model some/model --method ga --boundary": "--boundary with ga",
    f"{UNLEARN} --model some/model --method gd --lr=-1": "lr: Input should be greater than 0",
    f"{UNLEARN} --model some/model --method {{}}/no.py:M": "there is no file",
    f"{UNLEARN} --model /nowhere --method gd": "/nowhere: no such folder",
    f"{UNLEARN} --model {{}}/empty --method gd": "has no config.json",
    f"{UNLEARN} --model a/b/c --method gd": "a/b/c: no such folder",
    f"{UNLEARN} --model {{}}/model --method gd": "DATA: is neither a folder nor a Hub id",
    "unlearn DATA --setting nope --method gd --model some/model --out {}/out": "setting 'nope'",
    "unlearn {}/empty --setting selective --method gd --model some/model --out {}/out": "empty",
    "unlearn DATA --setting selective --method gd --model some/model --out {}/file": "file",
    "audit some/model --build DATA --setting nope --out {}/out": "setting 'nope'",
    "audit some/model --build DATA --minutes -1 --out {}/out": "--minutes -1: is no time",
    "audit some/model --build DATA --routes telepathy --out {}/out": "route 'telepathy': is not a route",
    "audit some/model --build DATA --out {}/file": "is a file",
    "merge /nowhere --out {}/out": "/nowhere: no such folder",
    "merge {}/empty --out {}/file": "is a file",
    "merge {}/empty --out {}/out": "does not say where its base is",
    f"{EVALUATE} --model /nowhere": "/nowhere: no such folder",
    f"{EVALUATE} --model some/model --adapter /nowhere": "/nowhere: no such folder",
    f"{EVALUATE} --model some/model --adapter {{}}/empty": "holds neither a run nor an adapter",
    f"{EVALUATE} --model openai:nowhere": "names no model",
    f"{EVALUATE} --model some/model --attack nope": "attack 'nope'",
    f"{EVALUATE} --model some/model --tasks nope": "task 'nope'",
    f"{EVALUATE} --model some/model --prompts nope": "prompts 'nope'",
    f"{EVALUATE} --model some/model": "DATA: is neither a folder nor a Hub id",
    "evaluate DATA --setting selective --model some/model --out {}/file": "is a file",
    "study {}/nothing.toml --out {}/out": "no such file",
    "study {}/no.toml --out {}/out": "no.toml",
    "study {}/method.toml --out {}/out": "'gd-jiont' is not a method; did you mean gd-joint?",
    "study {}/folder.toml --out {}/out": "/nowhere: no such folder",
    "build {}/nothing.toml": "no such file",
    "build {}/odd.toml": "odd.toml",
    "build {}/odd.toml --from nope": "stage 'nope'",
    "build {}/odd.toml --runner nope": "--runner nope",
    "build {}/responder.toml --out {}/out": "[probe] responder: /nowhere/at/all: no such folder",
    "build {}/property.toml --out {}/out": "'P0' is not a property",
    "add {}/nothing Q1": "no such build folder",
    "status {}/empty": "is not a build",
    "export {}/nothing": "no such build folder",
    "review {}/nothing": "no such build folder",
    "review {}/empty --read {}/file": "is not a build",
    "review {}/empty --read {}/file --seed 3": "--seed 3: is of no use to --read",
    "review {}/empty --sample 0": "--sample 0: is no size of a sample",
    "report {}/nothing": "is not a folder",
    "publish {}/nothing --repo a/b": "no such build folder",
    "dump {}/nothing --out {}/out --humans": "no such file",
    "dump {}/nothing --out {}/out": "who is to be kept?",
}


@pytest.mark.parametrize("line", REFUSALS)
def test_a_wrong_name_folder_or_option_is_refused_in_one_line_before_torch(line: str, places: Path) -> None:
    found = ran(*line.replace("{}", str(places)).split())
    assert found.status == 2
    assert REFUSALS[line] in found.said
    assert found.said.count("\n") == 1
    assert not set(found.imported) & set(HEAVY)


def test_a_wrong_method_is_refused_within_a_second_of_the_processor() -> None:
    assert ran(*f"{UNLEARN} --model some/model --method nope".split()).processor_s < PROCESSOR_S
