"""Rows of an exported dataset as an evaluation reads them, with accepted answers as the matching rules want them.

Published columns suffice; ours are used where present.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.dataset.folder import (
    HubRow,
    Pictures,
    column_names,
    config_files,
    config_names,
    no_such_target,
    read_rows,
    training_targets,
)
from schemas.errors import BadInput
from schemas.matching.amounts import amounts_in, family
from schemas.matching.dates import dates_in
from schemas.matching.match import normalise
from schemas.records.build_rows import AcceptedAnswer
from schemas.records.evaluation import PROMPT_ATTACKS, VIEW_ATTACKS, AttackName
from schemas.vocabulary import PUBLISHED_SETTING, Setting

_NEEDED = ("sample_id", "subject_id", "subject", "task_type", "modality", "question", "answer_text")

_OPTIONAL = (
    "option_a", "option_b", "option_c", "option_d", "answer_label", "accepted_answers", "property_id", "answer_type",
)  # fmt: skip


@dataclass(frozen=True)
class EvalRow:
    """One row of an eval, cross-image or attack config. Columns that the dataset lacks are empty."""

    sample_id: str
    subject_id: str
    subject: str
    task: str
    modality: str
    """As published: text or text_image."""
    question: str
    answer: str
    options: tuple[str, ...]
    label: str
    accepted: tuple[str, ...]
    property_id: str
    answer_type: str
    picture: bytes | None


def config_rows(hub: Path, config: str, *, picture: str | None) -> Iterator[EvalRow]:
    """Rows of a config in order. `picture` names the column of the picture that is wanted ("image", "image_002", …).

    Equal pictures share their bytes. Raises BadInput for a missing config or column, for a row without an id, and for a
    picture that does not decode.
    """
    pictures = Pictures(hub)
    for file in config_files(hub, config):
        for row in read_rows(file, needed=_NEEDED, optional=_OPTIONAL, picture=picture):
            shown = bool(picture) and row.text("modality") == "text_image"
            yield _row(row, pictures.of(row, picture) if shown and picture else None)


def training_answers(hub: Path, target: str) -> dict[tuple[str, str], str]:
    """The target's own answers by (sample_id, qa or vqa); empty for modalities without train pairs."""
    found: dict[tuple[str, str], str] = {}
    for modality, config in (("vqa", f"train_pair_{target}"), ("qa", f"train_pair_{target}_qa")):
        for file in sorted((hub / "data" / config).glob("*.parquet")):
            for row in read_rows(file, needed=("sample_id", "generated_answer")):
                found[row.text("sample_id"), modality] = row.text("generated_answer")
    return found


def training_target(hub: Path, wanted: str | None) -> str:
    """The short name of the target whose answers the dataset holds; "" if it holds none, or several and none is named.

    Raises BadInput for a name that it lacks.
    """
    targets = training_targets(hub)
    if wanted is not None and wanted not in targets:
        raise no_such_target(hub)
    return wanted or (targets[0] if len(targets) == 1 else "")


def attack_configs(hub: Path, setting: Setting, ratio: int | None, attack: AttackName) -> list[str]:
    """The configs that an attack on the question is read from: forget, and retain where there is one.

    Empty for attacks on weights. At a ratio without its own config it is the one of the next larger ratio, which holds
    its forget samples. Raises BadInput, naming what there is, where the dataset lacks the config or the view's column.
    """
    if attack not in (*PROMPT_ATTACKS, *VIEW_ATTACKS):
        return []
    present, views = config_names(hub), attack in VIEW_ATTACKS
    stem = f"{'cross_image' if views else attack}_{PUBLISHED_SETTING[setting]}"
    name = stem if ratio is None else _at_ratio(present, stem, ratio, views=views)
    if name not in present:
        near = [each for each in present if each.startswith(stem.rsplit("_", 1)[0])]
        found = f"has no config {name or f'{stem} of at least {ratio} %'} for attack {attack}"
        raise BadInput(f"{hub}/data", found, f"it has {', '.join(near) or 'none like it'}")
    found_configs = [each for each in (name, f"{name}_retain") if each in present]
    column = f"image_{attack.removeprefix('view_')}"
    for file in (file for config in found_configs if views for file in config_files(hub, config)):
        columns = column_names(file)
        if column not in columns:
            shown = [each for each in columns if each.startswith("image")]
            raise BadInput(str(file), f"has no column {column} for attack {attack}", f"it has {', '.join(shown)}")
    return found_configs


def _at_ratio(present: Sequence[str], stem: str, ratio: int, *, views: bool) -> str:
    pattern = re.compile(rf"{re.escape(stem)}{'_r' if views else ''}(\d+)")
    ratios = {int(hit[1]): name for name in present if (hit := pattern.fullmatch(name))}
    fitting = sorted(each for each in ratios if each >= ratio)
    return ratios[fitting[0]] if fitting else ""


def _row(cells: HubRow, picture: bytes | None) -> EvalRow:
    options = [cells.optional(f"option_{letter}") for letter in "abcd"]
    row = EvalRow(
        sample_id=cells.text("sample_id"),
        subject_id=cells.text("subject_id"),
        subject=cells.text("subject"),
        task=cells.text("task_type"),
        modality=cells.text("modality"),
        question=cells.text("question"),
        answer=cells.text("answer_text"),
        options=tuple(option for option in options if option is not None),
        label=cells.text("answer_label").strip().upper(),
        accepted=cells.texts("accepted_answers"),
        property_id=cells.text("property_id"),
        answer_type=cells.text("answer_type"),
        picture=picture,
    )
    for name in ("sample_id", "subject_id", "question", "answer"):
        if not getattr(row, name).strip():
            raise BadInput(cells.where, f"has no {name}", "export or fetch the dataset again")
    return row


LENGTH_TOLERANCE_CM, MONEY_TOLERANCE = 2.0, 0.05
"""As the build accepts them: lengths to two centimetres, amounts of money to a twentieth."""

DATED, NUMBERED = ("date", "month", "year"), ("count", "length", "money")
"""Answer types whose answers are dates and numbers."""


def accepted_answers(texts: Iterable[str], answer_type: str) -> tuple[AcceptedAnswer, ...]:
    """The accepted forms of one fact, each once. `answer_type` "" (published data has none) goes by the text itself."""
    forms = {(form.kind, normalise(form.text)): form for form in (_read(text, answer_type) for text in texts)}
    return tuple(forms.values())


def _read(text: str, answer_type: str) -> AcceptedAnswer:
    dates = dates_in(text) if answer_type in ("", *DATED) else []
    if len(dates) == 1 and not dates[0].loose and (dates[0].start, dates[0].end) == (0, len(text.rstrip())):
        return AcceptedAnswer(kind="date", text=text, year=dates[0].year, month=dates[0].month, day=dates[0].day)
    amounts = amounts_in(text) if answer_type in ("", *NUMBERED) and text.strip()[:1] in "0123456789$€£₽¥₹" else []
    if len(amounts) == 1 and (answer_type or amounts[0].unit or text.strip().isdigit()):
        unit, number = amounts[0].unit, amounts[0].number
        tolerance = MONEY_TOLERANCE * abs(number) if family(unit) == "money" else 0.0
        if unit == "centimetre":
            tolerance = LENGTH_TOLERANCE_CM
        return AcceptedAnswer(kind="number", text=text, number=number, unit=unit, tolerance=tolerance)
    return AcceptedAnswer(kind="text", text=text)
