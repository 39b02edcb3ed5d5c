"""Attention pattern: which tokens of its own sample a token sees, by kind of layer, as transformers writes it down."""

from typing import TYPE_CHECKING

from schemas.storage.tables import Record

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedConfig

FULL, SLIDING, CHUNKED = "full_attention", "sliding_attention", "chunked_attention"
KINDS = (FULL, SLIDING, CHUNKED)
"""Kinds of layers whose states follow from what a token sees; a recurrent layer has a state that runs on instead."""


class Pattern(Record):
    """How a family's layers attend, and what of its inputs tells where pictures stand."""

    layers: str
    """Path of the list of decoder layers, in the model without an adapter."""
    kinds: tuple[str, ...]
    """Of each layer, one of KINDS."""
    window: int | None = None
    """Of sliding layers: a token sees itself and so many less one before it."""
    chunk: int | None = None
    """Of chunked layers: a token sees those of its own run of so many."""
    picture_ids: tuple[int, ...] = ()
    """Tokens that stand for a picture or frame it."""
    types: str = ""
    """Name of the input whose runs other than 0 are pictures; "" if there is none."""
    both_ways: tuple[str, ...] = ()
    """Kinds in whose layers the tokens of a picture see each other in both directions."""
    parts: int = 1
    """How many positions a token has; more than one where a picture's rows and columns are counted."""


def attention_of(config: "PreTrainedConfig", language: "nn.Module", *, path: str) -> Pattern | str:
    """What the configuration says, by the same rules as transformers' own masks; or why samples cannot share a row."""
    from torch import nn  # the record stands in run.json, which is read where torch is not wanted

    text = config.get_text_config()
    count = int(text.num_hidden_layers)
    lists = [
        name
        for name, part in language.named_modules()
        if isinstance(part, nn.ModuleList) and len(part) == count and name
    ]
    if not lists:
        return "its decoder layers were not found"
    window, chunk = getattr(text, "sliding_window", None), getattr(text, "attention_chunk_size", None)
    kinds = tuple(getattr(text, "layer_types", None) or ())
    if not kinds:
        kind = SLIDING if window is not None else CHUNKED if chunk is not None else FULL
        kinds = (kind,) * count
    if other := sorted(set(kinds) - set(KINDS)):
        return f"it has layers of {', '.join(other)}, which keep one state for all that went before"
    if len(kinds) != count:
        return "its configuration names another number of layers than it has"
    if text._attn_implementation not in ("sdpa", "eager"):
        return f"its attention ({text._attn_implementation}) takes no mask of ours"
    return Pattern(layers=f"{path}.{lists[0]}", kinds=kinds, window=window, chunk=chunk)
