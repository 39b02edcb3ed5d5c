"""Token roles: which tokens of a forget answer are the fact itself, and which are the general words around it."""

from collections.abc import Mapping

import torch
from torch import Tensor

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from unlearn.models.encoding import IGNORED, Encoder


def value_span(answer: str, value: str) -> tuple[int, int]:
    """Where in an answer the fact's value stands, in characters; the whole answer where it does not stand there."""
    start = answer.casefold().find(value.casefold()) if value else -1
    # Folding may lengthen a letter, and then places no longer are those of the answer.
    if start < 0 or len(answer.casefold()) != len(answer):
        return 0, len(answer)
    return start, start + len(value)


def unwanted_tokens(encoder: Encoder, samples: Mapping[str, TrainingSample]) -> dict[str, Tensor]:
    """By sample key, [answer tokens] bool: the token holds part of the fact's value. The end of turn never does."""
    found: dict[str, Tensor] = {}
    for key, sample in samples.items():
        start, end = value_span(sample.answer.strip(), sample.value)
        spans = encoder.answer_spans(sample)
        found[key] = torch.tensor([low < end and start < high for low, high in spans])
    return found


def banned_words(
    encoder: Encoder, forget: Mapping[str, TrainingSample], retain: Mapping[str, TrainingSample], *, vocab: int
) -> Tensor:
    """[vocab] bool: tokens of forget values that stand in no question and in no general part of an answer.

    So function words, which questions are full of, are not banned. Raises BadInput where nothing is left to ban.
    """
    found = torch.zeros(vocab, dtype=torch.bool)
    free = torch.zeros(vocab, dtype=torch.bool)
    for samples, bans in ((forget, True), (retain, False)):
        roles = unwanted_tokens(encoder, samples)
        for key, sample in samples.items():
            encoded = encoder.encode(sample)
            answer = encoded.labels != IGNORED
            ids = encoded.inputs["input_ids"][0]
            free[ids[~answer]] = True
            free[ids[answer][~roles[key]]] = True
            if bans:
                found[ids[answer][roles[key]]] = True
    left = found & ~free
    if not left.any():
        raise BadInput("banned words", "are none: all stand in questions too", "choose another method")
    return left
