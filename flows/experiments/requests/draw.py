"""Drawing requests: sequences as people might send them, from personas that say which kinds of facts matter to whom."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from curation.splits.personas import KINDS
from flows.experiments.requests.known_facts import KnownFact
from schemas.errors import BadInput
from schemas.records.requests import RemovalRequest
from schemas.storage.artifacts import write_atomically
from schemas.vocabulary import Sensitivity

WHOLE, FEW = 0.1, 0.3
"""Shares of requests for a whole person, and for one to three facts; the others name the classes of a persona."""
LARGEST = 0.5
"""Of the dataset's facts that a sequence may ask for together: something must be kept."""
TRIES = 200
CARES = 0.5
"""From this weight on a kind of person wants a class gone."""


def draw_requests(facts: Mapping[str, KnownFact], number: int, *, seed: int) -> list[RemovalRequest]:
    """A sequence of requests, each of which asks for something that none before it did; the same for the same seed.

    Personas are drawn without looking at anybody's facts (curation.splits.personas). Raises BadInput where the dataset
    is too small for so many.
    """
    people: dict[str, list[KnownFact]] = {}
    for fact in facts.values():
        people.setdefault(fact.subject_id, []).append(fact)
    gone: set[str] = set()
    found: list[RemovalRequest] = []
    for place in range(number):
        for attempt in range(TRIES):
            rng = random.Random(f"{seed}:request:{place}:{attempt}")
            subject = rng.choice(sorted(people))
            kind = rng.choice(KINDS)
            request, ids = _one(people[subject], [each for each, w in kind.weights.items() if w >= CARES], gone, rng)
            fresh = ids - gone
            if fresh and len(gone | fresh) <= LARGEST * len(facts) and len(gone | fresh) < len(facts):
                gone |= ids
                found.append(request.model_copy(update={"id": f"r{place + 1:03d}"}))
                break
        else:
            advice = "draw fewer, or take a larger build"
            raise BadInput(f"--draw {number}", f"the dataset has facts for {len(found)} requests only", advice)
    return found


def _one(
    own: Sequence[KnownFact], cared: Sequence[Sensitivity], gone: set[str], rng: random.Random
) -> tuple[RemovalRequest, set[str]]:
    subject, kind = own[0].subject_id, rng.random()
    if kind < WHOLE:
        return RemovalRequest(id="r", person=subject, people=(subject,)), {each.sample_id for each in own}
    left = sorted(each.sample_id for each in own if each.sample_id not in gone)
    if kind < WHOLE + FEW or not any(fact.sensitivity for fact in own):
        chosen = sorted(rng.sample(left, min(len(left), rng.randint(1, 3))))
        return RemovalRequest(id="r", person=subject, facts=tuple(chosen)), set(chosen)
    classes = tuple(each for each in cared if any(fact.sensitivity == each for fact in own))
    return RemovalRequest(id="r", person=subject, classes=classes), {
        fact.sample_id for fact in own if fact.sensitivity in classes
    }


def request_text(request: RemovalRequest) -> str:
    """A request as TOML, without its id."""
    lines = [f"person = {_quoted(request.person)}"]
    for name in ("people", "facts", "classes"):
        if values := getattr(request, name):
            lines.append(f"{name} = [{', '.join(map(_quoted, values))}]")
    return "\n".join([*lines, *(["on_behalf = true"] if request.on_behalf else [])]) + "\n"


def write_requests(folder: Path, requests: Sequence[RemovalRequest]) -> list[Path]:
    """One TOML file each, in their order. Raises BadInput for a folder that holds some."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(str(folder), "exists already", "name a new folder")
    places = []
    for request in requests:
        path = folder / f"{request.id}.toml"
        write_atomically(path, request_text(request))
        places.append(path)
    return places


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
