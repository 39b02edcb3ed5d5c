"""Text gates: whether a prompt's words are close to those of a stored one. They cannot see a picture.

Published gates are sentence encoders; here words and pairs of words are hashed with a salt, so that a guard needs no
model, stands before any server, and its artifact holds no words. Paraphrases get past it sooner.
"""

import hashlib
import itertools
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from schemas.errors import BadInput
from schemas.records.interventions import GateRecord
from unlearn.interventions.parts import Part

SIZE = 2048
"""Places that words and pairs of words are hashed to."""
CENTROIDS = "gate.centroids"
"""Name of the stored prompts' features among a part's tensors."""


def text_features(texts: Sequence[str], *, salt: str) -> Tensor:
    """[texts, 2048]: how often words and pairs of neighbours fall on each place, each row of length 1.

    Words are without case and accents. A text without any has a row of zeros.
    """
    rows = torch.zeros(len(texts), SIZE)
    for row, text in enumerate(texts):
        plain = unicodedata.normalize("NFKD", text).casefold()
        words = re.findall(r"\w+", "".join(each for each in plain if not unicodedata.combining(each)))
        for term in (*words, *(f"{one} {two}" for one, two in itertools.pairwise(words))):
            rows[row, int.from_bytes(hashlib.sha256(f"{salt}:{term}".encode()).digest()[:4]) % SIZE] += 1
    return torch.nn.functional.normalize(rows, dim=1)


def text_gate(
    stored: Sequence[str],
    negatives: Sequence[str],
    *,
    salt: str,
    false_fire: float = 0.05,
    others: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> tuple[GateRecord, dict[str, Tensor]]:
    """A gate that knows the stored prompts, and its tensors; at most `false_fire` of the negatives fire.

    Negatives are prompts that are to be answered, of the forgotten subjects above all. Where the words of a stored
    prompt and of a negative are equal, the gate does not know it. Of `others` it is said how many fire. Raises BadInput
    without stored prompts or negatives.
    """
    for name, found in (("positives", stored), ("negatives", negatives)):
        if not found:
            raise BadInput("the text gate", f"has no {name} to be calibrated on", "give forget and retain prompts")
    if not 0 <= false_fire < 1:
        raise BadInput("false_fire", f"is {false_fire:g}", "give a share from 0 to below 1")
    centroids = text_features(sorted(set(stored)), salt=salt)
    wrong = _nearest(text_features(negatives, salt=salt), centroids).sort(descending=True).values
    threshold = math.nextafter(float(wrong[int(false_fire * len(wrong))]), math.inf)
    fires = {
        name: float((_nearest(text_features(texts, salt=salt), centroids) >= threshold).double().mean())
        for name, texts in {"forget": stored, "retain": negatives, **others}.items()
        if texts
    }
    record = GateRecord(
        source="text", threshold=threshold, positives=len(stored), negatives=len(negatives), false_fire=false_fire,
        fires=fires, salt=salt,
    )  # fmt: skip
    return record, {CENTROIDS: centroids}


def fires_on(part: Part, texts: Sequence[str]) -> list[bool]:
    """Of each prompt whether the part's gate knows it: a text gate by its words, without a gate or `always` all.

    Raises BadInput for a gate that reads states or roles, which a prompt's words do not tell, and for a text gate
    without stored prompts or positives.
    """
    gate = part.intervention.gate
    if gate is None or gate.source == "always":
        return [True] * len(texts)
    if gate.source != "text":
        reads = "the target's hidden states" if gate.source == "hidden" else "which questions are forgotten"
        raise BadInput(part.name, f"its gate reads {reads}, not a prompt's words", "take a gate of the source text")
    centroids = part.tensors.get(CENTROIDS)
    if centroids is None or centroids.dim() != 2 or centroids.shape[1] != SIZE or not gate.positives:
        raise BadInput(part.name, "its text gate knows no prompts", "calibrate it on prompts that are forgotten")
    return (_nearest(text_features(texts, salt=gate.salt), centroids) >= gate.threshold).tolist() if texts else []


def _nearest(features: Tensor, centroids: Tensor) -> Tensor:
    """[texts]: the highest cosine with any centroid; rows are of length 1. In float64, so that equal is equal."""
    return (features.double() @ centroids.double().T).max(1).values
