"""Undoing a request: its run lifted from under later ones where the stack allows it, else what must be done again."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.experiments.requests.known_facts import facts_digest, read_known_facts
from flows.experiments.requests.ledger import changing, now, read_ledger, seen_from, standing, write_ledger
from flows.experiments.requests.serve import keep_requests, read_requests, roles_of
from flows.resources.datasets import open_dataset
from schemas.errors import BadInput
from schemas.records.requests import Ledger, LedgerEntry

if TYPE_CHECKING:
    from unlearn.runs.record import RunRecord


@dataclass(frozen=True)
class Undone:
    """What the model is now: a run's folder, or, where the first and only request was lifted, the base itself."""

    request: str
    run: Path | None
    again: tuple[str, ...] = ()
    """Requests that stayed served."""


def undo(dataset: str | Path, ledger: Path, request_id: str, *, model: str, out: Path) -> Undone:
    """Lift a request that the ledger has. The newest is left off; of one in the middle a run without it goes to `out`.

    Raises BadInput for one that is not served, and where later runs were made on weights that it changed for good,
    naming what must be done again and from where.
    """
    facts = read_known_facts(open_dataset(dataset))
    with changing(ledger):
        found = read_ledger(ledger, dataset=facts_digest(facts))
        entry = standing(found, request_id)
        if entry is None:
            known = ", ".join(each.request.id for each in found.entries if not each.undone) or "none"
            raise BadInput(f"request {request_id}", f"is not served (the ledger has {known})", "name one of them")
        later = [each for each in found.entries[found.entries.index(entry) + 1 :] if not each.undone]
        place = ledger.parent / entry.run
        if later:
            run: Path | None = _without(ledger, entry, later, model=model, out=out)
            if run is not None:
                kept = read_requests(ledger.parent / later[-1].run)
                if kept is None:
                    raise BadInput(str(ledger.parent / later[-1].run), "does not say what was asked", "copy it again")
                left = tuple(each for each in kept.requests if each.id != request_id)
                kept = kept.model_copy(update={"requests": left})
                keep_requests(run, kept, roles_of(kept, facts))
        else:
            from unlearn.runs.record import chain

            record = chain(place)[-1][1]
            run = place / record.after if record.after else None
        write_ledger(ledger, _marked(found, entry, later, ledger=ledger, run=run if later else None))
    return Undone(request_id, run, tuple(each.request.id for each in later))


def _marked(found: Ledger, entry: LedgerEntry, later: list[LedgerEntry], *, ledger: Path, run: Path | None) -> Ledger:
    """The ledger with the entry lifted, and those after it served by the run without it."""
    place = seen_from(ledger, run) if run is not None else ""
    entries = []
    for each in found.entries:
        if each is entry:
            each = each.model_copy(update={"undone": now(), "undone_in": place})
        elif each in later and place:
            each = each.model_copy(update={"run": place})
        entries.append(each)
    return found.model_copy(update={"entries": tuple(entries)})


def _without(ledger: Path, entry: LedgerEntry, later: list[LedgerEntry], *, model: str, out: Path) -> Path:
    """A run of the whole stack but one request's parts."""
    from unlearn.interventions.files import save_stack
    from unlearn.interventions.stack import without
    from unlearn.runs.record import chain, stack_of, write_record

    if out.exists() and any(out.iterdir()):
        raise BadInput(f"--out {out}", "exists already", "name a new folder")
    again = ", ".join(each.request.id for each in later)
    runs = chain(ledger.parent / later[-1].run)
    own = (ledger.parent / entry.run).resolve()
    at = next((number for number, (place, _) in enumerate(runs) if place.resolve() == own), None)
    advice = f"serve {again} again, one after another, after what stood before {entry.request.id}"
    if at is None:
        raise BadInput(f"request {entry.request.id}", "is part of a run that was put together", advice)
    if any(record.outcome == "weights" for _, record in runs[at:]):
        found = "cannot be lifted: it, or a later request, left whole weights"
        raise BadInput(f"request {entry.request.id}", found, advice)
    start, under, parts = stack_of(runs[-1][0], model)
    if start != model:
        raise BadInput(f"request {entry.request.id}", "lies on whole weights that an earlier run left", advice)
    first = sum(_parts_left(*each) for each in runs[:at])
    try:
        for _ in range(_parts_left(*runs[at])):
            parts = without(parts, first, base=under)
    except BadInput as problem:
        raise BadInput(f"request {entry.request.id}", problem.found, advice) from problem
    save_stack(out, parts, base=under)
    top = runs[-1][1]
    write_record(out, top.model_copy(update={"outcome": "interventions", "after": "", "beneath": ""}))
    return out


def _parts_left(place: Path, record: "RunRecord") -> int:
    """Parts of the stack that one run left."""
    from schemas.records.interventions import read_records

    return len(read_records(place)) if record.outcome == "interventions" else 1
