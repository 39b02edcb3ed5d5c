"""`ppubench requests`: drawing, listing and undoing, each as lines of named values."""

from collections.abc import Mapping
from pathlib import Path

from flows.experiments.requests.draw import draw_requests, write_requests
from flows.experiments.requests.known_facts import facts_digest, read_known_facts
from flows.experiments.requests.ledger import read_ledger
from flows.experiments.requests.resolution import resolve
from flows.experiments.requests.undo import undo
from flows.resources.datasets import open_dataset
from schemas.errors import BadInput

Line = Mapping[str, str | int]


def drawn(dataset: str | Path, number: int, *, seed: int, out: Path) -> list[Line]:
    """Draw a sequence and write its files; one line a request."""
    facts = read_known_facts(open_dataset(dataset))
    requests = draw_requests(facts, number, seed=seed)
    places = write_requests(out, requests)
    lines: list[Line] = []
    for request, place in zip(requests, places, strict=True):
        served = resolve(request, facts, where=str(place))
        what = "everything" if request.people else ", ".join(request.classes or request.facts)
        lines.append(
            {
                "request": request.id,
                "person": request.person,
                "facts": len(served.samples),
                "what": what,
                "file": str(place),
            }
        )
    return lines


def listed(dataset: str | Path, ledger: Path) -> list[Line]:
    """Who asked what, when it was served and by which run; one line a request, the first one first."""
    if not ledger.is_file():
        raise BadInput(str(ledger), "no such file", "name the file that --ledger of ppubench unlearn wrote")
    found = read_ledger(ledger, dataset=facts_digest(read_known_facts(open_dataset(dataset))))
    return [
        {
            "request": each.request.id,
            "person": each.served.person,
            "facts": len(each.served.samples),
            "when": each.when,
            "run": each.run,
            "undone": each.undone,
            **{name: f"{value:.3f}" for name, value in each.verified.items()},
        }
        for each in found.entries
    ]


def undone(dataset: str | Path, ledger: Path, request: str, *, model: str, out: Path) -> list[Line]:
    """Lift a request; one line that says which run, or the base, is the model now."""
    done = undo(dataset, ledger, request, model=model, out=out)
    return [{"undone": done.request, "model": str(done.run or model), "still served": ", ".join(done.again)}]


def said(line: Line) -> str:
    """A line for people."""
    return "  ".join(f"{name} {value}" for name, value in line.items() if value != "")
