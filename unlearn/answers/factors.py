"""Factors by sample: how much a forget sample counts in every forget term, known before training by its key."""

from collections.abc import Mapping
from typing import Literal

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from schemas.vocabulary import Sensitivity

Factors = Literal["none", "risk", "risk_mean_1"]

RISK: Mapping[Sensitivity, float] = {
    "public": 0.0,
    "biographical": 0.179,
    "family": 0.183,
    "location": 0.224,
    "contact": 0.404,
    "finance": 0.665,
    "physical": 0.173,
    "health": 0.544,
    "belief": 0.544,
    "orientation": 0.544,
    "criminal": 0.513,
}
"""UnPII's risk index by our sensitivity classes. Rows of its table: birth date, name, detailed address, phone,
name and bank account, gender, name and medical record (health, belief, orientation), passport (criminal); public is 0.
"""


def factors(samples: Mapping[str, TrainingSample], kind: Factors) -> dict[str, float]:
    """1 + risk of each sample, by key, divided by their mean for `risk_mean_1`; empty for `none`.

    Raises BadInput where the samples say no sensitivity, as in a dataset that is not ours.
    """
    if kind == "none":
        return {}
    unknown = next((key for key, sample in sorted(samples.items()) if sample.sensitivity is None), None)
    if unknown is not None:
        raise BadInput(
            f"sample {unknown}", "has no sensitivity, so no risk", 'take factors = "none", or a build of ours'
        )
    found = {key: 1 + RISK[sample.sensitivity] for key, sample in samples.items() if sample.sensitivity is not None}
    mean = sum(found.values()) / max(1, len(found)) if kind == "risk_mean_1" else 1.0
    return {key: value / mean for key, value in found.items()}
