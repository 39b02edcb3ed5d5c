"""The forward pass of training: logits at answer positions alone, through whatever wraps the model."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from schemas.errors import BadInput
from unlearn.models.families import Family
from unlearn.models.packing import Picture, pack

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Watched:
    """What a layer of the language model gave out in each forward pass while it was watched."""

    layer: int
    """Counted from 0."""
    states: list[Tensor] = field(default_factory=list)
    """[batch, width, hidden] each, laid out as the labels that the pass returned."""


_WATCHED: ContextVar[Watched | None] = ContextVar("watched", default=None)


@contextmanager
def watching(layer: int) -> Iterator[Watched]:
    """Keep what a layer of the language model gives out at answers, in this thread, with its graph.

    The first place of each sample is the last token of its prompt, the others are its answer tokens themselves.
    """
    watched = Watched(layer)
    token = _WATCHED.set(watched)
    try:
        yield watched
    finally:
        _WATCHED.reset(token)


class AnswerModel(nn.Module):
    """A model that computes logits where answers are, and nowhere else.

    The vocabulary is the widest layer of a small batch: at answer positions only, its cost follows the answers' length
    and not that of the prompt and its image tokens. Wrappers such as DDP go around this module.
    """

    def __init__(self, model: "PreTrainedModel", family: Family) -> None:
        super().__init__()
        self.model = model
        self.family = family

    def forward(
        self, inputs: Mapping[str, Tensor], labels: Tensor, pictures: Sequence[Picture] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(logits [batch, width, vocab], labels [batch, width]), laid out as a causal model's full output is.

        labels[:, 0] is -100 and logits[:, t] predicts labels[:, t + 1]; width is the longest answer plus one. With the
        `pictures` of the samples, samples of one picture share its tokens, where the family can: the same logits.
        """
        positions, kept = answer_window(labels)
        core = core_model(self.model)
        take = partial(_take, positions=positions)
        with self._layer_output() as given:
            if not self.family.plain_head:
                logits = take(core(**inputs, use_cache=False).logits)  # [batch, width, vocab]
            else:
                if pictures is not None and self.family.packs and self._may_pack():
                    starts = labels.ne(-100).int().argmax(dim=1).tolist()
                    packed = pack(inputs, starts, pictures, token_positions(core, inputs))
                    take = partial(_unpacked, places=packed.places.gather(1, positions))
                    inputs = packed.inputs
                hidden = take(core.model(**inputs, use_cache=False).last_hidden_state)  # [batch, width, hidden]
                logits = cast(nn.Linear, core.get_output_embeddings())(hidden)  # type: ignore[no-untyped-call]
        if (watched := _WATCHED.get()) is not None:
            watched.states.append(take(given[0]))
        return logits, kept

    @contextmanager
    def _layer_output(self) -> Iterator[list[Tensor]]:
        """What the watched layer gives out, [rows, length, hidden], once the forward pass is done."""
        given: list[Tensor] = []
        watched = _WATCHED.get()
        if watched is None:
            yield given
            return
        layers = language_layers(core_model(self.model), self.family)
        if not 0 <= watched.layer < len(layers):
            raise BadInput(f"layer {watched.layer}", f"the language model has {len(layers)}, from 0", "choose another")

        def keep(module: nn.Module, inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
            if _WATCHED.get() is watched:  # a layer is shared by threads
                given.append(output if isinstance(output, Tensor) else output[0])

        hook = layers[watched.layer].register_forward_hook(keep)
        try:
            yield given
        finally:
            hook.remove()

    def _may_pack(self) -> bool:
        """A dropout would draw once for what samples share and not once for each."""
        return not self.training or not any(
            isinstance(module, nn.Dropout) and module.p > 0 for module in self.model.modules()
        )


def token_positions(core: "PreTrainedModel", inputs: Mapping[str, Tensor]) -> Tensor:
    """[3, batch, length]: how the model numbers the tokens of each sample alone."""
    if "image_grid_thw" in inputs:
        found, _ = core.model.get_rope_index(
            inputs["input_ids"],
            mm_token_type_ids=inputs["mm_token_type_ids"],
            image_grid_thw=inputs["image_grid_thw"],
            attention_mask=inputs["attention_mask"],
        )
        return cast(Tensor, found)
    batch, length = inputs["input_ids"].shape
    return torch.arange(length, device=inputs["input_ids"].device).expand(3, batch, length)


def _take(values: Tensor, positions: Tensor) -> Tensor:
    """values[b, positions[b]]: [batch, length, n] and [batch, width] to [batch, width, n]."""
    return values.gather(1, positions.unsqueeze(-1).expand(-1, -1, values.shape[-1]))


def _unpacked(values: Tensor, places: Tensor) -> Tensor:
    """What stands at some places of the flattened rows: [rows, long, n] and [batch, width] to [batch, width, n]."""
    return values.flatten(0, 1)[places]


def language_layers(model: nn.Module, family: Family) -> nn.ModuleList:
    """The layers of the language model, without an adapter around it; raises BadInput where there is no such list."""
    found = dict(model.named_modules()).get(f"{family.language}.layers")
    if not isinstance(found, nn.ModuleList) or not len(found):
        raise BadInput(
            f"{family.language}.layers", "is no list of layers", "mend the row in unlearn/models/families.py"
        )
    return found


def answer_window(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Positions [batch, width] from the token before each answer to its last, and the labels there.

    `labels` is [batch, length], -100 outside of one contiguous answer per row.
    """
    kept = labels.ne(-100)
    width = int(kept.sum(dim=1).max().item()) + 1
    first = kept.int().argmax(dim=1)  # [batch]; 0 where a row has no answer
    start = (first - 1).clamp(min=0)
    positions = (start.unsqueeze(1) + torch.arange(width, device=labels.device)).clamp(max=labels.shape[1] - 1)
    window = labels.gather(1, positions)
    # A clamped position repeats the last token, which must not count twice.
    beyond = torch.arange(width, device=labels.device) > kept.sum(dim=1, keepdim=True)
    window = window.masked_fill(beyond, -100)
    window[:, 0] = -100
    return positions, window


def bare(network: nn.Module) -> nn.Module:
    """The Hugging Face or Peft model inside AnswerModel, DDP or FSDP wrappers."""
    inner = network
    while not isinstance(inner, AnswerModel) and isinstance(wrapped := getattr(inner, "module", None), nn.Module):
        inner = wrapped
    return inner.model if isinstance(inner, AnswerModel) else inner


def core_model(model: nn.Module) -> "PreTrainedModel":
    """The Hugging Face model without the Peft wrapper; adapters stay active in its layers."""
    from peft import PeftModel

    return cast("PreTrainedModel", model.get_base_model() if isinstance(model, PeftModel) else model)


@contextmanager
def adapter_off(network: nn.Module) -> Iterator[None]:
    """The reference model: the same weights with the adapter switched off, and no gradient.

    Raises BadInput for a model without an adapter, whose earlier weights are gone once it has moved.
    """
    from peft import PeftModel

    model = bare(network)
    if not isinstance(model, PeftModel):
        raise BadInput("the reference model", "there is no adapter to switch off", "cache reference values beforehand")
    moving = {name: weight.requires_grad for name, weight in model.named_parameters()}
    try:
        with model.disable_adapter(), torch.no_grad():
            yield
    finally:
        for name, weight in model.named_parameters():  # peft would set every matrix free that it switches on again
            weight.requires_grad_(moving[name])
