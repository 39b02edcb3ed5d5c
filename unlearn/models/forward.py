"""The forward pass of training: logits at answer positions alone, through whatever wraps the model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from schemas.errors import BadInput
from unlearn.models.encoding import Batch
from unlearn.models.families import Family
from unlearn.models.settling import narrowed
from unlearn.rows.features import PictureFeatures
from unlearn.rows.layout import Extent, Packed, Shown, extent_of, pack, row_limit
from unlearn.rows.live import Live
from unlearn.rows.pattern import Pattern
from unlearn.rows.steering import Steering, positions_for

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

    def __init__(self, model: "PreTrainedModel", family: Family, *, live: Live | None = None) -> None:
        super().__init__()
        self.model = model
        self.family = family
        self._steering = Steering(core_model(model), language=family.language, pattern=family.pattern)
        self._features: PictureFeatures | None = None
        self.live = live
        """What acts within the passes prompt by prompt; samples then do not share rows."""

    def forward(
        self, inputs: Mapping[str, Tensor], labels: Tensor, pictures: Sequence[Shown] | None = None
    ) -> tuple[Tensor, Tensor]:
        """(logits [batch, width, vocab], labels [batch, width]), laid out as a causal model's full output is.

        labels[:, 0] is -100 and logits[:, t] predicts labels[:, t + 1]; width is the longest answer plus one. With the
        `pictures` of the samples, samples of one picture share its tokens, where the family can: the same logits.
        """
        positions, kept = answer_window(labels)
        if self.live is not None:
            with self.live.prompts(inputs, positions[:, 0]):
                return self._picked(inputs, None, partial(_take, positions=positions)), kept
        if pictures is not None and self.family.pattern is not None and self.packs():
            return self._packed(inputs, labels, pictures, self.family.pattern, positions), kept
        return self._picked(inputs, None, partial(_take, positions=positions)), kept

    def packs(self) -> bool:
        """Whether samples share rows. A dropout would draw once for what they share and not once for each."""
        return (
            self.live is None
            and self.family.pattern is not None
            and not (self.training and any(map(_drops, self.model.modules())))
        )

    @contextmanager
    def keeping_pictures(self, *, capacity: int | None = None) -> Iterator[None]:
        """The vision tower runs once for each picture until the end, where it is frozen and nothing is drawn in it.

        `capacity` is in bytes; by default some of the device's memory. Nothing may change the tower meanwhile.
        """
        core = core_model(self.model)
        parts = [core.get_submodule(path) for path in self.family.vision]
        moves = any(weight.requires_grad for part in parts for weight in part.parameters())
        draws = any(_drops(module) for part in parts for module in part.modules())
        if self.family.keeps_pictures and parts and not moves and not draws:
            self._features = PictureFeatures(core, capacity=capacity)
        try:
            yield
        finally:
            self._features = None

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

    def extent(self, batch: Batch) -> Extent:
        """How much a pass over a batch computes."""
        labels = batch.labels
        answers = len(batch) * (int(labels.ne(-100).sum(dim=1).max()) + 1)
        pattern = self.family.pattern
        shown = sum(picture is not None for picture in batch.pictures)
        if pattern is None or not self.packs():
            return Extent(len(batch), labels.shape[1], shown, answers)
        return extent_of(batch.inputs, _starts(labels), batch.pictures, pattern, answers=answers, limit=self._limit())

    def _limit(self) -> int:
        hidden = core_model(self.model).config.get_text_config().hidden_size
        return row_limit(hidden, gpu=next(self.parameters()).device.type != "cpu")

    def _packed(
        self,
        inputs: Mapping[str, Tensor],
        labels: Tensor,
        pictures: Sequence[Shown],
        pattern: Pattern,
        positions: Tensor,
    ) -> Tensor:
        """[batch, width, vocab], the samples in packed rows."""
        number = partial(token_positions, core_model(self.model), inputs, pictures, pattern)
        packed = pack(inputs, _starts(labels), pictures, pattern, number, limit=self._limit())
        places = packed.places.gather(1, positions)  # [batch, width]
        rows = {
            **packed.inputs,
            **self._pictures(inputs, pictures, packed.shown),
            "attention_mask": torch.ones_like(packed.inputs["input_ids"]),
            "position_ids": positions_for(packed),
        }
        return self._picked(rows, packed, lambda values: values.flatten(0, 1)[places])

    def _pictures(
        self, inputs: Mapping[str, Tensor], pictures: Sequence[Shown], shown: Sequence[int]
    ) -> dict[str, object]:
        """The pictures of some samples as the model takes them: their tensors, or what the tower made of them."""
        if self._features is None or not shown:
            return dict(pictures_of(inputs, pictures, shown))
        contents = [picture.content for sample in shown if (picture := pictures[sample]) is not None]
        made = self._features.of(contents, lambda number: pictures_of(inputs, pictures, [shown[number]]))
        return {"mm_encoder_outputs": {"image": made}}

    def _picked(self, inputs: Mapping[str, object], packed: Packed | None, pick: Callable[[Tensor], Tensor]) -> Tensor:
        """What `pick` takes of the logits: before the output layer where that can be."""
        core = core_model(self.model)
        with self._layer_output() as given, nullcontext() if packed is None else self._steering.steered(packed):
            if not self.family.narrow:
                logits = pick(core(**inputs, use_cache=False).logits)
            else:
                with narrowed(core.get_submodule(self.family.head), pick):
                    logits = cast(Tensor, core(**inputs, use_cache=False).logits)
        if (watched := _WATCHED.get()) is not None:
            watched.states.append(pick(given[0]))
        return logits


def token_positions(
    core: "PreTrainedModel",
    inputs: Mapping[str, Tensor],
    pictures: Sequence[Shown],
    pattern: Pattern,
    samples: Sequence[int],
) -> Tensor:
    """[parts, samples, length]: how the model numbers the tokens of each of these samples alone."""
    ids = inputs["input_ids"][list(samples)]
    shown = [sample for sample in samples if pictures[sample] is not None]
    if pattern.parts == 1 or not shown:
        return torch.arange(ids.shape[1], device=ids.device).expand(pattern.parts, *ids.shape)
    grids = {name: value for name, value in pictures_of(inputs, pictures, shown).items() if name in _GRIDS}
    found, _ = core.model.get_rope_index(
        ids,
        mm_token_type_ids=inputs["mm_token_type_ids"][list(samples)],
        attention_mask=inputs["attention_mask"][list(samples)],
        **grids,
    )
    return cast(Tensor, found)


_GRIDS = ("image_grid_thw",)


def pictures_of(inputs: Mapping[str, Tensor], pictures: Sequence[Shown], shown: Sequence[int]) -> dict[str, Tensor]:
    """The tensors of some samples' pictures, in that order: their rows of the batch's tensors."""
    if not shown:
        return {}
    starts: dict[str, int] = {}
    spans: dict[int, dict[str, slice]] = {}
    for sample, picture in enumerate(pictures):
        for name, count in () if picture is None else picture.rows:
            begin = starts.get(name, 0)
            starts[name] = begin + count
            spans.setdefault(sample, {})[name] = slice(begin, begin + count)
    names = dict.fromkeys(name for sample in shown for name in spans[sample])
    return {name: torch.cat([inputs[name][spans[sample][name]] for sample in shown]) for name in names}


def _drops(module: nn.Module) -> bool:
    """Whether a module draws what to leave out, as a layer or within its attention."""
    within = getattr(module, "attention_dropout", 0.0)
    return (isinstance(module, nn.Dropout) and module.p > 0) or (isinstance(within, float) and within > 0)


def _starts(labels: Tensor) -> list[int]:
    """Index of each sample's first answer token."""
    found: list[int] = labels.ne(-100).int().argmax(dim=1).tolist()
    return found


def _take(values: Tensor, positions: Tensor) -> Tensor:
    """values[b, positions[b]]: [batch, length, n] and [batch, width] to [batch, width, n]."""
    return values.gather(1, positions.unsqueeze(-1).expand(-1, -1, values.shape[-1]))


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
