"""The dataset card: YAML that tells `datasets` where the configs lie, and a text made from the release's counts."""

from collections.abc import Mapping
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import JsonValue

from curation.card.attribution import markdown
from curation.card.columns import FIELDS
from schemas.dataset.layout import DEFAULT_CONFIG
from schemas.dataset.release import NamedCount, ReleaseSummary
from schemas.errors import BadInput
from schemas.records.review import ReviewFigures
from schemas.storage.tables import Record
from schemas.vocabulary import Sensitivity

PLACEHOLDER = "PATH_OR_HUB_ID"
"""Stands for the place of a release that is not published yet."""


class CardFacts(Record):
    """What the card says that counting the release does not tell. No local path or token may be in it."""

    title: str
    target: str
    """Short name, as in `train_pair_<target>`."""
    target_identity: str
    """What the target is, such as a Hub id."""
    source: str
    """Where facts and pictures come from, as a noun phrase: "Wikidata and Wikimedia Commons"."""
    fictional: bool
    seed: int
    sensitive: tuple[Sensitivity, ...]
    known_rule: str
    """The probe's rule in words: "the greedy answer and at least 1 of 2 paraphrased asks match"."""
    controls: tuple[str, ...]
    """Names of the probe's control conditions."""
    rater: str
    raters: int
    forget_share: float
    sensitive_share: float
    votes: int
    repairs: int
    personas: tuple[NamedCount, ...] = ()
    contact: str = ""
    version: str = ""
    gated: bool = False
    """The repo asks for terms before it lets anybody in, whatever its part."""
    review: ReviewFigures | None = None
    """What a reader said of a sample of the facts; None if nobody was asked."""
    repository: str = PLACEHOLDER
    """What the loading snippet loads."""


BEGIN = "<!-- ppubench begins: what stands between these two lines is written anew by every export -->"

END = "<!-- ppubench ends: what stands below is the maintainer's and is kept -->"

HAND_WRITTEN = "\n\n## Notes of the maintainer\n\nNone yet.\n"

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def render_card(
    summary: ReleaseSummary,
    card: CardFacts,
    *,
    previous: str | None = None,
    sizes: Mapping[str, int] | None = None,
) -> str:
    """The README of a release. Text from outside is escaped; the same release gives the same card.

    `sizes` are the bytes of each config without compression. Of `previous`, an earlier card, everything outside the two
    marker lines and every YAML key that is not ours is kept.
    Raises BadInput for an earlier card without the markers.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  # Markdown, through `md`
    )
    environment.filters["md"] = markdown
    columns = [(name, meaning) for name, meaning in FIELDS.items()]
    text = environment.get_template("card.md.jinja").render(summary=summary, card=card, fields=columns)
    kept: dict[str, JsonValue] = {}
    above, below = "", HAND_WRITTEN
    if previous is not None:
        above, below, kept = hand_written(previous)
    ours = {**_front_matter(summary, card), **_dataset_info(summary, sizes or {})}
    front = yaml.safe_dump({**ours, **kept}, sort_keys=False, allow_unicode=True, default_flow_style=False)
    return f"---\n{front}---\n{above}{BEGIN}\n{text.strip()}\n{END}{below}"


def hand_written(previous: str) -> tuple[str, str, dict[str, JsonValue]]:
    """Of an earlier card: the text above and below the generated part, and the YAML keys that are not ours."""
    if previous.count(BEGIN) != 1 or previous.count(END) != 1 or previous.index(BEGIN) > previous.index(END):
        raise BadInput("README.md", "lacks the two marker lines of ppubench", "put them back, or move the file away")
    head, _, rest = previous.partition(BEGIN)
    below = rest.partition(END)[2]
    front, above = "", head
    if head.startswith("---\n"):
        front, _, above = head.removeprefix("---\n").partition("\n---\n")
    try:
        found = yaml.safe_load(front) or {}
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise BadInput("README.md", f"has front matter that is not YAML ({reason})", "mend it") from error
    if not isinstance(found, dict):
        raise BadInput("README.md", "has front matter that is not a YAML mapping", "mend it")
    return above, below, {str(key): value for key, value in found.items() if key not in _OURS}


def read_card(path: Path) -> str | None:
    """The text of a card, without the mark that some editors begin a file with; None where there is no such file.

    Raises BadInput for bytes that are not UTF-8.
    """
    if not path.is_file():
        return None
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"is not UTF-8 text (byte {error.start})"
        raise BadInput(str(path), found, "save it as UTF-8, or move the file away and export again") from error


_OURS = frozenset(
    {
        "pretty_name", "license", "license_name", "license_link", "language", "task_categories", "size_categories",
        "tags",
        "extra_gated_heading", "extra_gated_prompt", "extra_gated_fields", "configs", "dataset_info",
    }
)  # fmt: skip


def _front_matter(summary: ReleaseSummary, card: CardFacts) -> Mapping[str, JsonValue]:
    tags = ["machine-unlearning", "privacy", "multimodal", "wikidata", "synthetic" if card.fictional else "biography"]
    front: dict[str, JsonValue] = {
        "pretty_name": f"{card.title} (gated classes)" if summary.part == "gated" else card.title,
        "license": "other",
        "license_name": "mixed-see-attribution",
        "license_link": "ATTRIBUTION.md",
        "language": ["en"],
        "task_categories": ["visual-question-answering", "question-answering"],
        "size_categories": [_size(sum(config.rows for config in summary.configs))],
        "tags": list[JsonValue](tags),
    }
    if summary.part == "gated" or card.gated:
        what = "facts of gated classes" if summary.part == "gated" else "this dataset"
        front |= {
            "extra_gated_heading": f"Ask for access to {what}",
            "extra_gated_prompt": "This holds facts about people. By asking you agree to use it only to "
            "measure unlearning, not to identify, profile or contact anyone, and to delete it when asked.",
            "extra_gated_fields": {"Affiliation": "text", "Intended use": "text", "I agree to these terms": "checkbox"},
        }
    front["configs"] = [
        {
            "config_name": config.name,
            **({"default": True} if config.name == DEFAULT_CONFIG else {}),
            "data_files": [{"split": config.split, "path": f"data/{config.name}/{config.split}-*.parquet"}],
        }
        for config in summary.configs
    ]
    return front


def _dataset_info(summary: ReleaseSummary, sizes: Mapping[str, int]) -> Mapping[str, JsonValue]:
    """The `dataset_info` that `datasets` checks what it loads against: rows and bytes of every config.

    Features are left to the Parquet files: for some forty configs they would make every load parse YAML for a second.
    """
    return {
        "dataset_info": [
            {
                "config_name": config.name,
                "splits": [
                    {
                        "name": config.split,
                        "num_bytes": sizes.get(config.name, config.bytes),
                        "num_examples": config.rows,
                    }
                ],
                "download_size": config.bytes,
                "dataset_size": sizes.get(config.name, config.bytes),
            }
            for config in summary.configs
        ]
    }


def _size(rows: int) -> str:
    return next((name for limit, name in _SIZES if rows < limit), "1M<n<10M")
