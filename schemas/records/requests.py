"""Requests: what one person wants gone, what of it a dataset holds, and the ledger of who asked what and was served."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.storage.tables import Record
from schemas.vocabulary import Sensitivity

REQUESTS = "request.json"
"""In a run's folder: the requests that the model has been served with, this run's last."""
LEDGER_FORMAT = 1
Access = Literal["strict", "lenient"]
"""strict: earlier requests' facts are neither trained on nor looked at; lenient: they are forgotten once more."""
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class RemovalRequest(Record):
    """What one person wants gone. All that it names adds up; of a class or property it is the person's own facts."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
    person: Name = ""
    """Who asks: a subject's name or id. Empty only where `people` says whom it is about."""
    wants: str = ""
    """In words, such as "my health and my family"."""
    people: tuple[Name, ...] = ()
    """Everything about these people, by name or id."""
    facts: tuple[Name, ...] = ()
    """By sample id or fact id."""
    properties: tuple[Name, ...] = ()
    """By Wikidata id or label."""
    classes: tuple[Sensitivity, ...] = ()
    on_behalf: bool = False
    """The person may ask for others too, such as a parent for a child."""


class ServedRequest(Record):
    """A request with the samples that it came to."""

    id: str
    person: str
    """Subject id, or ""."""
    samples: tuple[str, ...]
    """Sample ids that it asked for, sorted; those among them that were gone already count too."""
    already: tuple[str, ...] = ()
    """Of them, those that an earlier request had asked for."""
    not_found: tuple[str, ...] = ()
    """What it named and the dataset does not have."""


class ServedRequests(Record):
    """`request.json` of a run: all requests that the model has been served with, the first one first."""

    dataset: str
    """Digest of the dataset's facts."""
    access: Access
    requests: tuple[ServedRequest, ...]

    @property
    def gone(self) -> frozenset[str]:
        """Sample ids that any of them asked for."""
        return frozenset(sample for each in self.requests for sample in each.samples)


class LedgerEntry(Record):
    """One line of the ledger: who asked what, when it was served, by which run, and what was verified."""

    request: RemovalRequest
    served: ServedRequest
    when: str
    """UTC, ISO 8601."""
    run: str
    """Folder of the run, seen from the ledger's."""
    identity: str
    """Of the run."""
    after: str = ""
    """Id of the request before it in its chain, or ""."""
    access: Access
    verified: dict[str, float] = {}
    """What the run's own probes found, shares in 0-1: forget and retain answers right before and after."""
    undone: str = ""
    """When it was lifted, or ""."""
    undone_in: str = ""
    """Folder of the run without it, seen from the ledger's; "" where it is that of the request before."""


class Ledger(Record):
    """All requests of one dataset."""

    format: Annotated[int, Field(le=LEDGER_FORMAT)] = LEDGER_FORMAT
    dataset: str
    entries: tuple[LedgerEntry, ...] = ()
