"""Serving a request: its facts forgotten on top of an earlier run, what was asked before out of the retain set."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from flows.experiments.requests.known_facts import KnownFact, facts_digest, read_known_facts
from flows.experiments.requests.ledger import changing, now, read_ledger, seen_from, standing, with_entry, write_ledger
from flows.experiments.requests.resolution import read_request, resolve
from flows.experiments.unlearn_run import UnlearnRequest, run_unlearning
from flows.resources.datasets import open_dataset
from schemas.dataset.split_files import Roles, read_roles
from schemas.errors import BadInput
from schemas.records.requests import REQUESTS, Access, LedgerEntry, RemovalRequest, ServedRequest, ServedRequests
from schemas.storage.artifacts import write_json

if TYPE_CHECKING:
    from unlearn.runs.record import RunRecord

log = logging.getLogger(__name__)

SPLIT = "split"
"""Folder in a run with its roles as a split file, for `ppubench evaluate --splits RUN/split --setting personalized`."""


@dataclass(frozen=True)
class Served:
    """What a run came to, and all that its model has been asked to forget."""

    record: "RunRecord"
    requests: ServedRequests
    kept: tuple[str, ...]
    """Sample ids of its retain set."""


def serve(
    asked: UnlearnRequest,
    out: Path,
    *,
    request: Path | None,
    ledger: Path | None = None,
    access: Access = "strict",
    resume: bool = False,
) -> Served:
    """Unlearn what a request file asks for, on top of `asked.after` if that is given; without a file the setting's.

    Raises BadInput, before a model is loaded, for a request that cannot be served, one that was served before or asks
    only for what is gone, for a chain with a run missing, and for a ledger of another dataset.
    """
    hub = open_dataset(asked.dataset, revision=asked.revision, splits=asked.splits)
    facts = read_known_facts(hub, asked.target)
    earlier = earlier_requests(asked.after, hub, facts)
    wanted = None if request is None else read_request(request)
    if wanted is not None and request is not None:
        served = _new(resolve(wanted, facts, where=str(request)), earlier, where=str(request))
    else:
        roles = read_roles(hub, asked.setting, asked.ratio)
        gone = [each.sample_id for each in facts.values() if roles.role(each.sample_id, each.subject_id) == "forget"]
        served = ServedRequest(id=f"{asked.setting}{asked.ratio or ''}", person="", samples=tuple(sorted(gone)))
    requests = ServedRequests(
        dataset=facts_digest(facts), access=access, requests=(*(earlier.requests if earlier else ()), served)
    )
    roles = roles_of(requests, facts)
    if ledger is not None:
        _check_ledger(ledger, requests, out, resume=resume)
    record = run_unlearning(replace(asked, roles=roles), out, resume=resume)
    if record.outcome:
        keep_requests(out, requests, roles)
        if ledger is not None and wanted is not None:
            note_in_ledger(ledger, wanted, requests, record, out)
    return Served(record, requests, tuple(sorted(roles.retain or ())))


def roles_of(requests: ServedRequests, facts: Mapping[str, KnownFact]) -> Roles:
    """What the last of some requests forgets and keeps. What was asked before is never kept: it would be learnt anew.

    Strict: nor is it looked at. Lenient: it is forgotten once more.
    """
    last = requests.requests[-1]
    forget = frozenset(requests.gone if requests.access == "lenient" else last.samples)
    retain = frozenset(facts) - requests.gone
    if not retain:
        raise BadInput(f"request {last.id}", "leaves nothing to be kept, with those before it", "ask for less")
    return Roles(forget=forget, retain=retain, of_subjects=False)


def earlier_requests(after: Path | None, hub: Path, facts: Mapping[str, KnownFact]) -> ServedRequests | None:
    """All requests that the model of a run has been served with; of a run without any, its setting's forget set.

    Raises BadInput where a run of its chain is missing or was of another dataset.
    """
    if after is None:
        return None
    from unlearn.runs.record import chain

    found: list[ServedRequest] = []
    access: Access = "strict"
    for place, record in chain(after):
        kept = read_requests(place)
        if kept is not None:
            if kept.dataset != facts_digest(facts):
                raise BadInput(str(place), "served requests of another dataset", "name the dataset of the earlier runs")
            found, access = list(kept.requests), kept.access
            continue
        roles = read_roles(hub, record.setting, record.ratio)
        gone = [each.sample_id for each in facts.values() if roles.role(each.sample_id, each.subject_id) == "forget"]
        if record.forget_samples > 2 * len(gone):
            raise BadInput(str(place), "was made on another dataset", "name the dataset of the earlier run")
        found.append(ServedRequest(id=f"{record.setting}{record.ratio or ''}", person="", samples=tuple(sorted(gone))))
    return ServedRequests(dataset=facts_digest(facts), access=access, requests=tuple(found))


def read_requests(run: Path) -> ServedRequests | None:
    """What a run was asked for, and those before it; None for a run of a setting. Raises BadInput."""
    path = run / REQUESTS
    try:
        return ServedRequests.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise BadInput(str(path), "does not say what was asked for", "copy the run again") from error


def keep_requests(out: Path, requests: ServedRequests, roles: Roles) -> None:
    """Write what a run was asked for, and its roles as a split file."""
    split = {"delete_ids": sorted(roles.forget), "keep_ids": sorted(roles.retain or ())}
    write_json(out / SPLIT / "persona_split.json", {name: list(ids) for name, ids in split.items()})
    write_json(out / REQUESTS, requests.model_dump(mode="json"))


def note_in_ledger(
    ledger: Path, wanted: RemovalRequest, requests: ServedRequests, record: "RunRecord", out: Path
) -> None:
    """Write into the ledger that a request was served, and what the run's probes found."""
    served, before = requests.requests[-1], requests.requests[:-1]
    best = record.best or record.last
    verified = {} if best is None else {
        "forget_before": record.start.forget_exact, "forget_after": best.forget_exact,
        "retain_before": record.start.retain_exact, "retain_after": best.retain_exact,
    }  # fmt: skip
    with changing(ledger):
        found = read_ledger(ledger, dataset=requests.dataset)
        entry = LedgerEntry(
            request=wanted,
            served=served,
            when=now(),
            run=seen_from(ledger, out),
            identity=record.identity,
            after=before[-1].id if before else "",
            access=requests.access,
            verified=verified,
        )
        write_ledger(ledger, with_entry(found, entry))


def _check_ledger(ledger: Path, requests: ServedRequests, out: Path, *, resume: bool) -> None:
    """Refuse a request that the ledger has as served by another run, and a chain that skips one that it has."""
    found = read_ledger(ledger, dataset=requests.dataset)
    last = requests.requests[-1]
    entry = standing(found, last.id)
    if entry is not None and not (resume and entry.run == seen_from(ledger, out)):
        raise BadInput(f"request {last.id}", f"was served on {entry.when} by {entry.run}", "give another request an id")
    known = {each.id for each in requests.requests}
    skipped = [each for each in found.entries if not each.undone and each.request.id not in known]
    if skipped:
        latest = found.entries[-1]
        advice = f"go on after {(ledger.parent / latest.run).as_posix()} (--after), or keep another ledger"
        raise BadInput(str(ledger), f"has request {skipped[0].request.id}, which this model did not get", advice)


def _new(served: ServedRequest, earlier: ServedRequests | None, *, where: str) -> ServedRequest:
    """The request beside those before it. Raises BadInput for one that is there, and for what is all gone."""
    if earlier is None:
        return served
    if any(each.id == served.id for each in earlier.requests):
        raise BadInput(
            where, f"request {served.id} was served by an earlier run", "give another request an id of its own"
        )
    already = tuple(each for each in served.samples if each in earlier.gone)
    if len(already) == len(served.samples):
        by = next(each.id for each in earlier.requests if already[0] in each.samples)
        raise BadInput(where, f"asks only for what is gone already (request {by})", "there is nothing to be done")
    if already:
        log.info("%s: %d of %d samples are gone already", where, len(already), len(served.samples))
    return served.model_copy(update={"already": already})
