"""What a dataset card says that counting the release does not tell."""

from schemas.dataset.release import NamedCount
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
    repository: str = PLACEHOLDER
    """What the loading snippet loads."""
