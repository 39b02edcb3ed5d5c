"""eval.evaluation_folder: evaluations of other formats are refused in a line, and made again where their replies are
kept.
"""

import json
from pathlib import Path

import pytest

from eval.evaluation_folder import read_evaluation, standing, write_evaluation
from schemas.errors import BadInput
from schemas.records.evaluation import EVALUATION_FORMAT
from tests.worlds.synthetic_results import answers, evaluation


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an evaluation of the present format."""
    made = evaluation("gd", answers(forget=0.5, retain=0.9))
    write_evaluation(tmp_path / "e", made.record, made.rows)
    return tmp_path / "e"


def of_format(folder: Path, number: int) -> Path:
    record = json.loads((folder / "evaluation.json").read_text())
    (folder / "evaluation.json").write_text(json.dumps(record | {"format": number}))
    return folder


def test_an_evaluation_of_this_format_is_read(folder: Path) -> None:
    assert read_evaluation(folder)[0].format == EVALUATION_FORMAT


@pytest.mark.parametrize("number", range(1, EVALUATION_FORMAT))
def test_an_evaluation_that_older_rules_scored_is_refused_in_a_line(folder: Path, number: int) -> None:
    with pytest.raises(BadInput, match=f"was scored by older rules .format {number}.*scores the kept replies anew"):
        read_evaluation(of_format(folder, number))


def test_an_evaluation_that_older_rules_scored_does_not_stand(folder: Path) -> None:
    assert standing(of_format(folder, 1)) is None


def test_an_evaluation_of_a_newer_format_is_refused_in_a_line(folder: Path) -> None:
    with pytest.raises(BadInput, match="newer than this ppubench reads"):
        read_evaluation(of_format(folder, EVALUATION_FORMAT + 1))
