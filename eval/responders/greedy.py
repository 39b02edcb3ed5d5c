"""Greedy decoding in stretches: rows whose answer has ended are taken out of the batch, the others go on alone."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from transformers import Cache, PreTrainedModel
    from transformers.generation.utils import GenerateDecoderOnlyOutput

STRETCH = 8
"""Tokens between two looks at which rows have ended; each look begins `generate` anew."""
LEAST_OUT = 0.25
"""Share of the rows that must have ended for the others to be worth copying."""


def decode_greedily(
    model: "PreTrainedModel", inputs: "Mapping[str, Tensor | Cache]", *, most: int, pad: int
) -> "Tensor":
    """[batch, at most `most`]: the most likely tokens one after another, `pad` behind an answer's end.

    Only for models whose cache keeps keys and values of all tokens (PromptForm.shares).
    """
    import torch

    ends = torch.tensor(_ends(model), device=model.device)
    ids = cast("Tensor", inputs["input_ids"])
    answers = torch.full((ids.shape[0], most), pad, device=ids.device)
    rows = torch.arange(ids.shape[0], device=ids.device)  # of the batch, those that are still in it
    going = torch.ones_like(rows, dtype=torch.bool)  # those of them whose answer has not ended
    given, done = dict(inputs), 0
    while True:
        ids, mask = cast("Tensor", given["input_ids"]), cast("Tensor", given["attention_mask"])
        generate = cast("Callable[..., GenerateDecoderOnlyOutput]", model.generate)
        found = generate(
            **given, do_sample=False, max_new_tokens=min(STRETCH, most - done), return_dict_in_generate=True
        )
        whole = cast("Tensor", found.sequences)
        new = whole[:, ids.shape[1] :]
        answers[rows[going], done : done + new.shape[1]] = new[going]
        done += new.shape[1]
        going &= ~torch.isin(new, ends).any(dim=1)
        if done >= most or not going.any():
            return answers[:, :done]
        cache = cast("Cache", found.past_key_values)
        mask = torch.cat([mask, mask.new_ones(new.shape)], dim=1)
        if (~going).float().mean() >= LEAST_OUT:
            cache.batch_select_indices(going.nonzero()[:, 0])
            _keep_shifts(model, going)
            rows, mask = rows[going], mask[going]
            whole = cast("torch.LongTensor", whole[going])
            going = torch.ones_like(rows, dtype=torch.bool)
        given = {"input_ids": whole, "attention_mask": mask, "past_key_values": cache}


def decodes_plainly(model: "PreTrainedModel", *, ends: int | None) -> None:
    """Forget how the model's authors would decode (generation_config.json): of that only the special tokens stay.

    An answer also `ends` where the template ends a turn, whether they say so or not. So greedy is greedy, and sampling
    follows from temperature and top_p alone, without penalties or beams.
    """
    from transformers import GenerationConfig

    inner = _inner(model)
    found = inner.generation_config
    known = found.eos_token_id if isinstance(found.eos_token_id, list) else [found.eos_token_id]
    known = [each for each in known if each is not None]
    inner.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=found.bos_token_id,
        eos_token_id=list(dict.fromkeys([*known, *([] if ends is None else [ends])])) or None,
        pad_token_id=found.pad_token_id,
    )


def _ends(model: "PreTrainedModel") -> list[int]:
    """The tokens that end an answer."""
    found = _inner(model).generation_config.eos_token_id
    return [] if found is None else list(found) if isinstance(found, list) else [found]


def _inner(model: "PreTrainedModel") -> "PreTrainedModel":
    from peft import PeftModel

    whole: Module = model
    return cast("PreTrainedModel", whole.get_base_model() if isinstance(whole, PeftModel) else whole)


def _keep_shifts(model: "PreTrainedModel", going: "Tensor") -> None:
    """Leave to the rows that go on what a family keeps of each: how far its picture shifts positions (Qwen)."""
    from torch import Tensor

    owner = getattr(_inner(model), "model", None)
    shifts = getattr(owner, "rope_deltas", None)
    if owner is not None and isinstance(shifts, Tensor) and shifts.shape[0] == going.shape[0] > 1:
        owner.rope_deltas = shifts[going]
