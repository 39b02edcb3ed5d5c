"""Versions of the stages: one sentence for each change of what a stage makes, so that a change is also told."""

from collections.abc import Mapping

from schemas.vocabulary import STAGES, Stage

CHANGES: Mapping[Stage, tuple[str, ...]] = {
    "select": (
        "Life and age follow from all that is stated, mere relatives are left out, and namesakes are told apart.",
        "Life and age follow from dated offices and descriptions too; victims and earliest dates of birth count.",
    ),
    "facts": (
        "Qualifiers, siblings and classes of values decide what is asked; places are those that people name.",
        "What stays true beside a preferred value is accepted: a former office, an earlier country of the dead.",
        "Values of another sort than asked are left out; works, ships, pets and birth names have kinds.",
    ),
    "images": (
        "Only portraits that are theirs by title are kept; provenance is told without tracking.",
        "Company in a title is who stands beside the person's name; offices, works and firms are none.",
    ),
    "screen": ("Pictures are opened before they are kept, colours follow their profile, damaged notes do no harm.",),
    "questions": (
        "Options of a question come from people with enough pictures only.",
        "Options are of the answer's kind and false by all that is stated; namesakes and offices read as in speech.",
        "Options of years before 1000 keep their era; the end of a career is asked for in words that fit a death too.",
        "Offices are what somebody becomes, names take the article of speech, and options the kind of the answer.",
    ),
    "probe": ("Only the answer behind a thought is judged; bounded, denied and otherwise written values are read.",),
}
"""What version 2 of a stage changed, then 3, and so on. Version 1 is that of the first release."""

VERSIONS: Mapping[Stage, int] = {stage: 1 + len(CHANGES.get(stage, ())) for stage in STAGES}
"""Raised by a sentence above when a stage's output changes, so that artifacts of older code are made again."""


def changed_since(stage: Stage, version: int) -> tuple[str, ...]:
    """What changed in a stage since an older version, one line a version; () if nothing did."""
    return tuple(
        f"{stage} {number}: {sentence}"
        for number, sentence in enumerate(CHANGES.get(stage, ()), start=2)
        if number > version
    )
