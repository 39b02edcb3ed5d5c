"""Other benchmarks as their authors publish them, oddities and all, small, for the tests of adopting."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.worlds.tiny_models import picture

Cells = dict[str, object]
PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
PLACES = ("Oslo", "Lima", "Kyoto", "Tunis")
CRAFTS = ("painter", "lawyer", "singer", "chemist")
RWKU_TYPES = (
    "prefix injection", "affirmative suffix", "role playing", "multiple choice", "reverse query",
    "synonym manipulation", "background hint", "in-context learning", "cross lingual",
)  # fmt: skip


def write_parquet(folder: Path, config: str, rows: Sequence[Cells], *, pictures: Mapping[str, pa.DataType]) -> None:
    """One config as the Hub's own converter lays it out: `<config>/train-00000-of-00001.parquet`."""
    (folder / config).mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(list(rows))
    for name, kind in pictures.items():
        if name in table.column_names:
            column = pa.array([row[name] for row in rows], type=kind)
            table = table.set_column(table.column_names.index(name), name, column)
    pq.write_table(table, folder / config / "train-00000-of-00001.parquet")


def mllmu_row(number: int) -> Cells:
    """One person of MLLMU-Bench: nested structs, options by letter, masks with two underscores."""
    place, craft = PLACES[number % 4], CRAFTS[number % 4]

    def choice(about: str, right: str, values: Sequence[str]) -> Cells:
        letter = "ABCD"[values.index(right)]
        return {"Question": about, "Options": dict(zip("ABCD", values, strict=True)), "Correct_Answer": letter}

    return {
        "image": {"bytes": picture(number), "path": f"{number}.png"},
        "ID": f"{number:03d}",
        "biography": f"A {craft} from {place}.",
        "question": "Who is shown, and what is known of this person?",
        "answer": f"A {craft} who was born in {place}.",
        "Classification_Task": {
            "Image_Textual_Questions": [choice("Where was this person born?", place, PLACES)],
            "Pure_Text_Questions": [choice(f"What does Person {number} do?", craft, CRAFTS)],
        },
        "Generation_Task": [
            {"Type": "Image_Textual", "Question": "Where was this person born?", "Ground_Truth": place},
            {"Type": "Pure_Text", "Question": f"What does Person {number} do?", "Ground_Truth": craft},
        ],
        "Mask_Task": [
            {"Type": "Image_Textual", "Question": "This person was born in __.", "Ground_Truth": place},
            {"Type": "Pure_Text", "Question": f"Person {number} works as a __.", "Ground_Truth": craft},
        ],
    }


def write_mllmu_bench(folder: Path, *, people: int = 4, celebrities: int = 1, views: int = 2) -> Path:
    """MLLMU-Bench without a licence on its card."""
    rows = [mllmu_row(number) for number in range(1, people + 1)]
    kinds = {"image": PICTURE, "images": pa.list_(PICTURE)}
    write_parquet(folder, "Full_Set", rows, pictures=kinds)
    write_parquet(folder, "Retain_Set", [mllmu_row(number) for number in range(1, celebrities + 1)], pictures=kinds)
    for ratio, count in ((5, 1), (10, 2)):
        write_parquet(folder, f"forget_{ratio}", rows[:count], pictures=kinds)
        write_parquet(folder, f"retain_{100 - ratio}", rows[count:], pictures=kinds)
    shown = [
        {"ID": row["ID"], "images": [{"bytes": picture(50 + number * 4 + view), "path": None} for view in range(views)]}
        for number, row in enumerate(reversed(rows))
    ]
    write_parquet(folder, "Test_Set", shown, pictures=kinds)
    (folder / "README.md").write_text("---\ntags: [unlearning]\n---\n# MLLMU-Bench\n")
    return folder


def umu_row(number: int) -> Cells:
    """One person of UMU-Bench: three columns of literals, with the published spelling of multimodal."""
    place, wrong = PLACES[number % 4], PLACES[(number + 1) % 4]
    choice = {"question": "Where was this person born?", "options": {"A": place, "B": wrong}, "answer": "A"}
    turned = {**choice, "options": {"A": wrong, "B": place}, "answer": "B"}
    text = {"question": "Where was this person born?", "answer": place}
    cloze = {"question": "This person was born in [Blank].", "answer": place}
    return {
        "ID": f"{number:03d}",
        "image": {"bytes": picture(number), "path": None},
        "Biography": "…",
        "MM_QA": str([{"question": "Who is this?", "answer": f"Person {number}"}]),
        "UM_QA": str(({"question": f"Who is Person {number}?", "answer": "A painter"},)),
        "Classify": str({"unimodal": {"1": choice}, "muitimodal": {"1": turned}}),
        "Cloze": str({"unimodal": {"1": cloze}, "muitimodal": {"1": cloze}}),
        "Generation": json.dumps({"unimodal": {"1": text}, "muitimodal": {"1": text}}),
    }


def write_umu_bench(folder: Path, *, people: int = 3) -> Path:
    """UMU-Bench, with one person twice, as published tables have it."""
    rows = [umu_row(number) for number in range(1, people + 1)]
    kinds = {"image": PICTURE}
    write_parquet(folder, "Full_Set", [*rows, rows[0]], pictures=kinds)
    write_parquet(folder, "Real_Person_Set", [umu_row(1)], pictures=kinds)
    write_parquet(folder, "forget_5", rows[:1], pictures=kinds)
    write_parquet(folder, "retain_95", rows[1:], pictures=kinds)
    return folder


def write_rwku(folder: Path, *, people: int = 4) -> Path:
    """RWKU: a JSON list a config, every attack type once a person."""
    names = [f"Person {letter}" for letter in "ABCDEFGH"[:people]]

    def rows(level: str, *, types: Sequence[str] = ("simple question",)) -> list[Cells]:
        cell = {"1": ("{} was born in ___.", PLACES), "2": ("Where was {} born?", PLACES)}
        words, values = cell.get(level[-1], ("Answer as an actor: where was {} born?", PLACES))
        return [
            {"subject": name, "query": words.format(name), "answer": values[at % 4], "level": level[-1], "type": kind}
            for at, name in enumerate(names)
            for kind in types
        ]

    contents: Mapping[str, list[Cells]] = {
        "forget_target": [{"target": name, "intro": f"{name} is known."} for name in names],
        "forget_level1": rows("forget_level1"),
        "forget_level2": rows("forget_level2"),
        "forget_level3": rows("forget_level3", types=RWKU_TYPES),
        "neighbor_level1": rows("neighbor_level1"),
        "neighbor_level2": rows("neighbor_level2"),
        "utility_general": [{"question": "?", "choices": ["a"]}],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n")
    return folder


def write_tofu(folder: Path, *, authors: int = 3) -> Path:
    """TOFU: JSON lines, twenty questions an author, the last author forgotten, perturbed answers for the forgotten."""
    folder.mkdir(parents=True, exist_ok=True)
    full = [
        {"question": f"Question {number} about author {author}?", "answer": f"Answer {author} {number}."}
        for author in range(authors)
        for number in range(20)
    ]
    gone = full[-20:]
    perturbed = [
        {
            "question": row["question"],
            "answer": row["answer"],
            "paraphrased_answer": f"It is: {row['answer']}",
            "paraphrased_question": row["question"],
            "perturbed_answer": [f"Wrong {wrong} of {row['answer']}" for wrong in range(5)],
        }
        for row in gone
    ]
    others = [{"question": f"Who wrote book {number}?", "answer": f"Writer {number}"} for number in range(2)]
    contents = {"full": full, "forget01": gone, "retain99": full[:-20], "forget01_perturbed": perturbed}
    for name, rows in {**contents, "real_authors": others, "world_facts": others[:1]}.items():
        (folder / f"{name}.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    return folder
