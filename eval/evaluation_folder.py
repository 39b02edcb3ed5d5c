"""The folder of one evaluation: predictions.jsonl first, evaluation.json last; without the latter it is unfinished."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from schemas.errors import BadInput
from schemas.records.evaluation import EVALUATION_FORMAT, EvaluationRecord, Prediction
from schemas.storage.artifacts import write_atomically, write_json

RECORD, PREDICTIONS = "evaluation.json", "predictions.jsonl"
AGAIN = "run the same ppubench evaluate or study again, which mends it"
SCORE_AGAIN = "run the same ppubench evaluate or study again, which scores the kept replies anew"

log = logging.getLogger(__name__)


def write_evaluation(folder: Path, record: EvaluationRecord, rows: Sequence[Prediction]) -> None:
    """Write both files, the record last. Raises BadInput for a folder that holds another evaluation."""
    try:
        found = read_record(folder)
    except BadInput as problem:
        log.warning("%s %s: it is written anew", problem.where, problem.found)
        found = None
    if found is not None and found.identity != record.identity:
        raise BadInput(str(folder), f"holds evaluation {found.identity}, not {record.identity}", "name another folder")
    write_atomically(folder / PREDICTIONS, "".join(row.model_dump_json() + "\n" for row in rows))
    write_json(folder / RECORD, record.model_dump(mode="json"))


def standing(folder: Path) -> EvaluationRecord | None:
    """The record of an evaluation that has finished and whose files are whole; None, with a warning, if they are cut.

    Replies are kept beside the folder, so one that is cut is made again from them.
    """
    try:
        return read_evaluation(folder)[0] if (folder / RECORD).exists() else None
    except BadInput as problem:
        log.warning("%s %s: it is evaluated again from the replies that are kept", problem.where, problem.found)
        return None


def read_record(folder: Path) -> EvaluationRecord | None:
    """The record of a finished evaluation, or None if none has finished there. Raises BadInput for other formats."""
    path = folder / RECORD
    try:
        record = EvaluationRecord.model_validate(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (json.JSONDecodeError, ValidationError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(str(path), f"is not an evaluation ({reason})", AGAIN) from error
    if record.format < EVALUATION_FORMAT:
        raise BadInput(str(path), f"was scored by older rules (format {record.format})", SCORE_AGAIN)
    if record.format > EVALUATION_FORMAT:
        found = f"has format {record.format}, newer than this ppubench reads ({EVALUATION_FORMAT})"
        raise BadInput(str(path), found, "install the newer ppubench")
    return record


def read_evaluation(folder: Path) -> tuple[EvaluationRecord, list[Prediction]]:
    """Record and rows of a finished evaluation; raises BadInput if there is none, or its rows are not whole."""
    record = read_record(folder)
    if record is None:
        raise BadInput(str(folder), "holds no finished evaluation", "run ppubench evaluate again to finish it")
    path = folder / PREDICTIONS
    rows: list[Prediction] = []
    try:
        # As bytes: a reply may hold what str.splitlines takes for the end of a line, and a cut may halve a letter.
        for line in path.read_bytes().removesuffix(b"\n").split(b"\n"):
            rows.append(Prediction.model_validate_json(line))
    except FileNotFoundError:
        raise BadInput(str(path), "no such file", AGAIN) from None
    except ValidationError as error:
        raise BadInput(f"{path}, line {len(rows) + 1}", "is not a prediction", AGAIN) from error
    if len(rows) != record.questions or len({row.key for row in rows}) != len(rows):
        found = f"has {len({row.key for row in rows})} distinct predictions of {record.questions}"
        raise BadInput(str(path), found, AGAIN)
    return record, rows


def find_evaluations(out: Path) -> list[Path]:
    """Folders of finished evaluations under `out`, sorted."""
    return sorted(path.parent for path in out.rglob(RECORD))
