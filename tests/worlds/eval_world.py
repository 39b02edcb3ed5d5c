"""An exported dataset of invented people, predictions by hand, and a responder that answers as it is told."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from curation.card.card import CardFacts
from curation.export.export import ReleaseRequest, export_release
from schemas.protocols.responder import Ask, Decoding, Reply, TokenScores
from schemas.records.evaluation import Prediction
from schemas.vocabulary import RATIOS
from tests.worlds.synthetic_build import SENSITIVE, make_bundles

CARD = CardFacts(
    title="PPU-Bench",
    target="tiny",
    target_identity="hf:sandbox",
    source="an embedded world",
    fictional=True,
    seed=7,
    sensitive=SENSITIVE,
    known_rule="the greedy answer matches",
    controls=("no_image",),
    rater="built-in",
    raters=5,
    forget_share=0.257,
    sensitive_share=0.86,
    votes=1,
    repairs=0,
)


def write_dataset(folder: Path, *, people: int = 6) -> Path:
    """Export `people` subjects of six facts, three of them sensitive; returns the folder that holds data/."""
    export_release(
        folder,
        make_bundles(people),
        ReleaseRequest(target="tiny", ratios=RATIOS, sensitive=SENSITIVE),
        card=CARD,
    )
    return folder


def prediction(**cells: object) -> Prediction:
    """A right generation answer of one forget fact in qa, with the cells given in place of the usual ones."""
    usual: dict[str, object] = {
        "sample_id": "Ada_01", "subject_id": "001", "task": "generation", "modality": "qa", "role": "forget",
        "prompt": "Where?", "answer": "Oslo", "reply": "Oslo", "error": "", "outcome": "correct", "correct": True,
        "choice": "", "likely_choice": "", "label": "", "exact": True, "normalised_exact": True, "rouge_recall": 1.0,
        "rouge_f1": 1.0, "nll": None,
    }  # fmt: skip
    row = {**usual, **cells}
    if "correct" in cells and "outcome" not in cells:
        row["outcome"] = "correct" if cells["correct"] else "gibberish"
    row.setdefault("key", f"{row['sample_id']}|{row['task']}|{row['modality']}")
    return Prediction.model_validate(row)


class Scripted:
    """A responder and scorer whose answers are a function of the ask; None is an ask that is never answered."""

    identity = "scripted"

    def __init__(self, say: Callable[[Ask], str | None], *, errors: Mapping[str, str] | None = None) -> None:
        self._say, self._errors = say, errors or {}
        self.asked: list[str] = []
        self.scored = 0

    def answer(self, asks: Iterable[Ask], decoding: Decoding) -> Iterator[Reply]:
        """One Reply per Ask that has one."""
        for ask in asks:
            self.asked.append(ask.text)
            said = self._say(ask)
            if ask.text in self._errors:
                yield Reply(ask_id=ask.ask_id, text="", error=self._errors[ask.text])
            elif said is not None:
                yield Reply(ask_id=ask.ask_id, text=said)

    def token_scores(self, asks: Iterable[tuple[Ask, str]]) -> Iterator[tuple[str, TokenScores]]:
        """Longer texts are less likely, whatever they say."""
        for ask, text in asks:
            self.scored += 1
            yield ask.ask_id, TokenScores(logs=(-0.1 * len(text),), greedy=(False,))
