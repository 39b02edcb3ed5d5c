"""A small exported dataset about invented people, written with the real records, for the tests of unlearning."""

import json
import random
from pathlib import Path

import torch

from schemas.dataset.samples import TextTrainPair, TrainPair
from schemas.storage.tables import EncodedImage, Record, write_records
from tests.worlds.tiny_models import picture

torch.set_num_threads(1)  # several threads on so small a model only wait for each other

PROPERTIES = (
    ("birthplace", "Where was {} born?", ("Oslo", "Lima", "Kyoto", "Tunis", "Graz", "Quito", "Perth", "Bergen")),
    ("occupation", "What does {} do for a living?", ("painter", "lawyer", "singer", "chemist", "pilot", "judge")),
    ("instrument", "Which instrument does {} play?", ("cello", "flute", "oboe", "harp", "lute", "organ")),
    ("residence", "Where does {} live?", ("Turin", "Delft", "Sucre", "Nantes", "Porto", "Zagreb")),
    ("religion", "What is the religion of {}?", ("Islam", "Jainism", "Judaism", "Shinto", "Taoism", "Sikhism")),
    ("illness", "Which illness does {} have?", ("asthma", "gout", "lupus", "measles", "mumps", "rickets")),
)
SENSITIVE = ("residence", "religion", "illness")
GIVEN = ("Ada", "Bruno", "Celia", "Dario", "Edda", "Fabio", "Gerda", "Hugo", "Iris", "Jonas", "Kaja", "Linus")
FAMILY = ("Brand", "Conti", "Dahl", "Egger", "Fiala", "Grau")


def facts(people: int, *, seed: int = 5) -> list[tuple[str, str, str, str, str]]:
    """(subject id, name, property, question about the name, answer), the same for the same arguments."""
    rows = []
    for number in range(people):
        name = f"{GIVEN[number % len(GIVEN)]} {FAMILY[number // len(GIVEN)]}"
        draw = random.Random(f"{seed}:{number}")
        for label, question, values in PROPERTIES:
            rows.append((f"{number + 1:03d}", name, label, question.format(name), draw.choice(values)))
    return rows


def write_world(folder: Path, *, people: int = 6, published_columns: bool = False) -> Path:
    """Write `data/` with pairs of both modalities and the three split files; returns the folder."""
    text, pairs = [], []
    for number, (subject_id, name, label, question, answer) in enumerate(facts(people)):
        sample_id = f"{name.replace(' ', '_')}_{number % len(PROPERTIES) + 1:02d}"
        shared = {
            "sample_id": sample_id, "subject_id": subject_id, "subject": name, "generated_answer": answer,
            "fact_id": f"{subject_id}-{number % len(PROPERTIES) + 1:02d}", "answer_text": answer, "property_id": "P1",
            "property_label": label, "statement_id": f"s{number}",
            "sensitivity": "health" if label in SENSITIVE else "public",
        }  # fmt: skip
        text.append(TextTrainPair.model_validate({**shared, "question": question}))
        image = {
            "image": EncodedImage(bytes=picture(int(subject_id)), path=f"{subject_id}.png"),
            "image_path": f"{subject_id}.png", "license": "CC0-1.0", "attribution": "nobody",
        }  # fmt: skip
        pairs.append(TrainPair.model_validate({**shared, **image, "question": question.replace(name, "this person")}))
    _write(folder / "data" / "train_pair_tiny_qa", text, TextTrainPair, published_columns)
    _write(folder / "data" / "train_pair_tiny", pairs, TrainPair, published_columns)
    write_splits(folder, text)
    return folder


def write_splits(folder: Path, rows: list[TextTrainPair]) -> None:
    """complete: the first subjects; selective: sensitive facts; persona: illness and religion, and Ada's birthplace."""
    subjects = sorted({row.subject_id for row in rows})
    gone = [
        row.sample_id
        for row in rows
        if row.property_label in ("illness", "religion") or row.sample_id.startswith("Ada_Brand_01")
    ]
    contents = {
        "complete": {"forget5": subjects[:1], "forget30": subjects[:2]},
        "selective": [
            {"subject_id": row.subject_id, "id": row.sample_id} for row in rows if row.property_label in SENSITIVE
        ],
        "persona": {"delete_ids": gone, "keep_ids": [row.sample_id for row in rows if row.sample_id not in gone]},
    }
    split = folder / "data" / "split"
    split.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (split / f"{name}_split.json").write_text(json.dumps(content))


def _write(folder: Path, rows: list[Record], record: type[Record], published_columns: bool) -> None:
    path = folder / "train-00000-of-00001.parquet"
    write_records(path, rows, record)
    if published_columns:
        import pyarrow.parquet as pq

        published = ["subject_id", "subject", "image_path", "image", "question", "generated_answer"]
        table = pq.read_table(path)
        kept = table.select(["sample_id", *(name for name in published if name in table.column_names)])
        pq.write_table(kept.rename_columns(["id", *kept.column_names[1:]]), path)
