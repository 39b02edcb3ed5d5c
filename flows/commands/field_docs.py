"""docs/data-fields.md, written from the records themselves by `python -m flows.commands.field_docs`."""

import ast
import inspect
import sys
import types
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from curation.card.columns import FIELDS
from schemas.dataset import samples
from schemas.records import build_rows
from schemas.storage.tables import EncodedImage, Record

HEAD = """# Data fields

Written from the schemas by `python -m flows.commands.field_docs`; a test compares the two. Words are used as in the
[glossary](how-it-is-made.md#words).

## The exported dataset: `<build>/hub`

Config names and the first columns are those of the published PPU-Bench; the columns after them are ours.

"""
MIDDLE = """
## The tables of a build: `<build>/<stage>/<batch>/*.parquet`

Internal, richer, and not published. `schemas.storage.tables.read_records(path, Record)` reads them checked, row by row.

"""
EXPORTED: Sequence[tuple[str, type[Record]]] = (
    ("train_pair_<target>", samples.TrainPair),
    ("train_pair_<target>_qa", samples.TextTrainPair),
    ("unlearning_target", samples.UnlearningTarget),
    ("ppu_eval_generation, ppu_eval_cloze, ppu_eval_classification", samples.EvalSample),
    ("cross_image_<setting>, cross_image_<setting>_retain", samples.CrossImageSample),
    ("<attack>_<setting>, <attack>_<setting>_retain", samples.AttackSample),
    ("attribution", samples.ImageCredit),
)
INTERNAL: Sequence[tuple[str, type[Record]]] = (
    ("select: subjects", build_rows.Subject),
    ("facts: facts", build_rows.Fact),
    ("facts: unknown_qualifiers", build_rows.UnknownQualifier),
    ("images: images", build_rows.Image),
    ("screen: hashes", build_rows.ImageHashes),
    ("screen: duplicates", build_rows.Duplicate),
    ("screen: portraits", build_rows.Portrait),
    ("questions: questions", build_rows.Question),
    ("probe: evidence", build_rows.Evidence),
    ("probe: knowledge", build_rows.Knowledge),
    ("split: assignments", build_rows.Assignment),
    ("split: votes", build_rows.Vote),
    ("split: personas", build_rows.Persona),
    ("split: repairs", build_rows.Repair),
    ("split: ranks", build_rows.SubjectRank),
    ("attack: attacks", build_rows.AttackPrompt),
    ("every stage: drops", build_rows.Drop),
    ("part of a fact: accepted", build_rows.AcceptedAnswer),
    ("part of a picture: licence", build_rows.Licence),
)


def page() -> str:
    """The whole page as Markdown."""
    return HEAD + "\n".join(_sections(EXPORTED)) + MIDDLE + "\n".join(_sections(INTERNAL))


def _sections(found: Iterable[tuple[str, type[Record]]]) -> Iterable[str]:
    for title, record in found:
        said = " ".join((inspect.getdoc(record) or "").split())
        said = "" if said.startswith("!!! abstract") else said
        lines = [
            f"### {_plain(title)}",
            "",
            *([_plain(said), ""] if said else []),
            "| column | type | |",
            "|---|---|---|",
        ]
        notes = (FIELDS if record.__module__ == samples.__name__ else {}) | _notes(record)
        lines += [
            f"| `{name}` | {_words(info.annotation)} | {_plain(notes.get(name, ''))} |"
            for name, info in record.model_fields.items()
        ]
        yield "\n".join(lines) + "\n"


def _notes(record: type[BaseModel]) -> dict[str, str]:
    """The string after a field in the class body, by field."""
    (body,) = ast.parse(inspect.getsource(record)).body
    if not isinstance(body, ast.ClassDef):
        return {}
    found = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            value = after.value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                found[field.target.id] = " ".join(value.value.split())
    return found


def _words(annotation: object) -> str:
    """A type as a reader would say it."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _words(parts[0])
    if origin in (Union, types.UnionType):
        kinds = [part for part in parts if part is not type(None)]
        return _words(kinds[0]) + (" or null" if len(kinds) < len(parts) else "")
    if origin is Literal:
        return "one of " + ", ".join(f"`{part}`" for part in parts)
    if origin is tuple:
        return f"list of {_words(parts[0])}"
    if annotation is EncodedImage:
        return "image (bytes, path)"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.__name__
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", bytes: "bytes"}
    return names[annotation] if isinstance(annotation, type) and annotation in names else str(annotation)


def _plain(text: str) -> str:
    """Text for a table cell or heading: no bar that would end it, no tag outside of code."""
    parts = text.split("`")
    outside = [part.replace("<", "&lt;") if number % 2 == 0 else part for number, part in enumerate(parts)]
    return "`".join(outside).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
