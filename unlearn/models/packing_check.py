"""Packed rows, tried: samples of a few pictures and texts get the logits in shared rows that they get apart."""

import io
import logging
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from schemas.dataset.samples import TrainingSample
from schemas.errors import first_line
from schemas.protocols.prompt_form import QUESTION
from unlearn.losses.likelihood import align
from unlearn.models.encoding import Batch, Encoder
from unlearn.models.families import Family
from unlearn.models.forward import AnswerModel
from unlearn.rows.pattern import Pattern, attention_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

log = logging.getLogger(__name__)

VERSION = 1
"""Raised when the check asks something else."""
_QUESTIONS = (("", "London"), (" And when?", "In 1815 or so"), (" And who was there with them then?", "Nobody"))


def with_pattern(model: "PreTrainedModel", processor: "ProcessorMixin", family: Family) -> Family:
    """The family with the pattern by which its samples may share rows, or a note that says why they may not."""
    found = _pattern(model, processor, family)
    if isinstance(found, Pattern):
        packs = family.model_copy(update={"pattern": found})
        keeps = family.pictures and _keeps_pictures(model, processor, packs)
        return packs.model_copy(update={"keeps_pictures": keeps})
    return family.model_copy(update={"notes": (*family.notes, f"samples stand in rows of their own: {found}")})


def _pattern(model: "PreTrainedModel", processor: "ProcessorMixin", family: Family) -> Pattern | str:
    base = attention_of(model.config, model.get_submodule(family.language), path=family.language)
    if isinstance(base, str):
        return base
    encoder = Encoder(processor, family)
    batches = [encoder.batch(rows).to(model.device) for rows in _samples(family)]
    if "cross_attention_mask" in batches[0].inputs:
        return "its pictures are attended to by layers of their own (cross attention)"
    known = processor.tokenizer.get_vocab()
    types = next((name for name in ("token_type_ids", "mm_token_type_ids") if name in batches[0].inputs), "")
    base = base.model_copy(
        update={
            "picture_ids": tuple(sorted(known[token] for token in family.placeholders if token in known)),
            "types": types,
            "parts": 3 if getattr(getattr(model, "model", None), "get_rope_index", None) else 1,
        }
    )
    training = model.training
    nn.Module.eval(model)
    try:
        with torch.no_grad():
            return _closest(model, family, base, batches)
    finally:
        nn.Module.train(model, training)


def _keeps_pictures(model: "PreTrainedModel", processor: "ProcessorMixin", family: Family) -> bool:
    """Whether likelihoods are the same with what the tower makes of each picture by itself, handed over."""
    batch = Encoder(processor, family).batch(_samples(family)[0]).to(model.device)
    network = AnswerModel(model, family.model_copy(update={"keeps_pictures": True})).eval()
    wanted = [(weight, weight.requires_grad) for weight in model.parameters()]
    model.requires_grad_(False)
    try:
        with torch.no_grad():
            each_time = _log_likelihoods(network, batch, packed=True)
            with network.keeping_pictures():
                kept = [_log_likelihoods(network, batch, packed=True) for _ in range(2)]
    except (RuntimeError, IndexError, ValueError, TypeError, KeyError, AttributeError):
        return False
    finally:
        for weight, moves in wanted:
            weight.requires_grad_(moves)
    return all(float((one - each_time).abs().max()) <= _rounding(model) for one in kept)


def _rounding(model: "PreTrainedModel") -> float:
    """Nats by which likelihoods may differ."""
    return 1e-4 if model.dtype == torch.float32 else 0.1


def _closest(model: "PreTrainedModel", family: Family, base: Pattern, batches: Sequence[Batch]) -> Pattern | str:
    """Of the ways in which pictures may see themselves the one whose rows differ least, if that is rounding."""
    alone = AnswerModel(model, family.model_copy(update={"pattern": None}))
    apart = [_log_likelihoods(alone, batch, packed=False) for batch in batches]
    differences: dict[float, Pattern] = {}
    reason = ""
    for both_ways in _choices(base):
        each = base.model_copy(update={"both_ways": both_ways})
        network = AnswerModel(model, family.model_copy(update={"pattern": each})).eval()
        try:
            packed = [_log_likelihoods(network, batch, packed=True) for batch in batches]
        except (RuntimeError, IndexError, ValueError, TypeError, KeyError, AttributeError) as error:
            reason = first_line(error, most=120)
            continue
        found = max(float((one - other).abs().max()) for one, other in zip(packed, apart, strict=True))
        differences.setdefault(found, each)
    if not differences:
        return f"it does not take masks and positions of ours ({reason})"
    best = min(differences)
    if best <= _rounding(model):
        return differences[best]
    return f"likelihoods in shared rows differ by {best:.2g} nats from those of samples apart"


def _choices(pattern: Pattern) -> Iterator[tuple[str, ...]]:
    """In which kinds of layers pictures may see themselves both ways."""
    kinds = tuple(dict.fromkeys(pattern.kinds)) if pattern.types else ()
    for count in range(len(kinds) + 1):
        yield from combinations(kinds, count)


def _log_likelihoods(network: AnswerModel, batch: Batch, *, packed: bool) -> Tensor:
    """Nats of every answer token."""
    return align(*network(batch.inputs, batch.labels, batch.pictures if packed else None)).nll()


def _samples(family: Family) -> list[list[TrainingSample]]:
    """What is tried: samples of two pictures, with texts where they may stand together, else texts by themselves."""
    shown = [_sample(number, _picture(turn)) for turn in (False, True) for number in range(len(_QUESTIONS))]
    texts = [_sample(number, None) for number in range(len(_QUESTIONS))]
    if not family.pictures:
        return [texts]
    if not family.form.stacked:
        shown = shown[: len(_QUESTIONS)]
    return [[*shown, *texts]] if family.mixed else [shown, texts]


def _sample(number: int, image: bytes | None) -> TrainingSample:
    more, answer = _QUESTIONS[number]
    return TrainingSample(
        sample_id=f"{number}", subject_id="1", modality="qa" if image is None else "vqa", prompt=QUESTION + more,
        answer=answer, image=image,
    )  # fmt: skip


def _picture(turn: bool) -> bytes:
    from PIL import Image

    picture = Image.linear_gradient("L").convert("RGB").resize((64, 48))
    buffer = io.BytesIO()
    (picture.transpose(Image.Transpose.ROTATE_180) if turn else picture).save(buffer, "PNG")
    return buffer.getvalue()
