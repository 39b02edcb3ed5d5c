"""The stack: interventions laid over a base in order, lifted last first, and one lifted from under others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from schemas.errors import BadInput
from schemas.records.interventions import Intervention, Kind, beneath
from unlearn.interventions.edits import Kept, add_matrix, add_noise, add_product, scale, zero
from unlearn.interventions.parts import Part, stacked, strength_of
from unlearn.interventions.steering import lay_guard, lay_restraint, lay_steering
from unlearn.models.adapter_loading import load_adapter
from unlearn.models.loading import LoadedModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Undo = Callable[[], None]


@dataclass(frozen=True)
class Laid:
    """A live stack: the model with all that is laid over it, and how each of it is undone."""

    model: LoadedModel
    under: LoadedModel
    """The model as it was before."""
    base: str
    """Digest of the base weights."""
    parts: tuple[Part, ...] = ()
    undo: tuple[Undo, ...] = ()
    """Called last first: they restore saved values and remove hooks."""

    @property
    def digest(self) -> str:
        """Of the base and all that is laid over it: what the next part is `beneath`."""
        return beneath(self.base, [part.intervention for part in self.parts])


Lay = Callable[[LoadedModel, Part], tuple[LoadedModel, Undo]]
"""Lays one part: the model with it, and what undoes it."""


def lay(loaded: LoadedModel, parts: Sequence[Part], *, base: str) -> Laid:
    """Lay parts over a model in order, all of them or, where one is refused, none.

    `base` is the digest of the model's weights. Raises BadInput for a form that is not known, a part that belongs on
    something else, tensors that do not fit or are not finite, and numbers out of range.
    """
    return lay_above(Laid(loaded, loaded, base), parts)


def lay_above(laid: Laid, parts: Sequence[Part]) -> Laid:
    """Lay further parts over a live stack; what was there before is left alone if one is refused."""
    return lay_some(laid, stacked(laid.base, parts, below=[part.intervention for part in laid.parts]))


def lay_some(laid: Laid, parts: Sequence[Part]) -> Laid:
    """Lay some parts of a stack whose order was checked when it was read: weights first and hooks later, or no hooks.

    The result's digest is that of what lies there, not that of the whole stack.
    """
    found = laid
    try:
        for part in parts:
            model, undo = _form(part.intervention)(found.model, part)
            found = replace(found, model=model, parts=(*found.parts, part), undo=(*found.undo, undo))
    except BaseException:
        for undo in reversed(found.undo[len(laid.undo) :]):
            undo()
        raise
    return found


def lift(laid: Laid, *, keep: int = 0) -> Laid:
    """Take off all parts but the lowest `keep`, last first: the same bits as before they were laid.

    What stays is laid anew, since an edit may have made the adapters below it part of the weights.
    """
    for undo in reversed(laid.undo):
        undo()
    return lay_some(Laid(laid.under, laid.under, laid.base), laid.parts[:keep])


def without(parts: Sequence[Part], number: int, *, base: str) -> list[Part]:
    """The stack without one of its parts, counted from 0, for laying anew: those above are set upon what is left.

    Raises BadInput where something above was made on it: edits and steering come from the states and weights below
    them, so only guards, and adapters above an adapter, stay right.
    """
    if not 0 <= number < len(parts):
        raise BadInput(f"part {number}", f"is not among the {len(parts)} of the stack", "count from 0")
    gone, above = parts[number], parts[number + 1 :]
    if gone.intervention.on_weights:
        for part in above:
            fits = part.intervention.kind == "guard" or (part.intervention.kind == gone.intervention.kind == "adapter")
            if not fits:
                advice = f"lift the {part.name} first and make it again"
                raise BadInput(f"part {number}", f"cannot be lifted: the {part.name} above was made on it", advice)
    kept = list(parts[:number])
    free = [replace(part, intervention=part.intervention.model_copy(update={"beneath": ""})) for part in above]
    return kept + stacked(base, free, below=[part.intervention for part in kept])


def _form(record: Intervention) -> Lay:
    found = LAY.get((record.kind, record.form))
    if found is None:
        known = ", ".join(form for kind, form in LAY if kind == record.kind)
        raise BadInput(f"{record.kind} {record.form}", "is no form of intervention", f"take one of {known}")
    return found


def _lay_peft(loaded: LoadedModel, part: Part) -> tuple[LoadedModel, Undo]:
    """An adapter, beside those that are there: what several add is added up."""
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer

    strength = strength_of(part.intervention)
    if part.folder is None:
        raise BadInput(part.name, "has no folder", "name the folder of a saved adapter")
    if strength == 0:
        return loaded, _nothing
    whole: nn.Module = loaded.model
    name = f"layer{len(whole.peft_config)}" if isinstance(whole, PeftModel) else "default"
    try:
        adapted = load_adapter(loaded.model, part.folder, base=loaded.path, name=name)
    except BaseException:
        _take_off(whole, name)
        raise
    around = cast(PeftModel, adapted)
    around.base_model.set_adapter(list(around.peft_config))  # type: ignore[operator]
    for module in around.modules():
        if isinstance(module, LoraLayer) and strength != 1 and name in module.scaling:
            module.set_scale(name, strength)
    device = next(whole.parameters()).device
    nn.Module.eval(nn.Module.to(adapted, device))
    return replace(loaded, model=adapted), partial(_take_off, around, name)


def _take_off(model: nn.Module, name: str) -> None:
    """Remove one adapter, and what it was wrapped in with the last."""
    from peft import PeftModel
    from peft.tuners.lora import LoraModel

    if not isinstance(model, PeftModel) or name not in model.peft_config:
        return
    if len(model.peft_config) == 1:
        model.unload()
        return
    model.delete_adapter(name)
    cast(LoraModel, model.base_model).set_adapter(list(model.peft_config))


def _edit(change: Callable[[LoadedModel, Part, Kept], None], *, fuses: bool) -> Lay:
    def lay_edit(loaded: LoadedModel, part: Part) -> tuple[LoadedModel, Undo]:
        kept = Kept()
        try:
            if fuses and _adapted(loaded):
                change(loaded, part, kept)  # a part that is refused leaves the adapters below it as they are
                kept.restore()
            model = _fused(loaded, kept) if fuses else loaded
            change(model, part, kept)
        except BaseException:
            kept.restore()
            raise
        return model, kept.restore

    return lay_edit


def _adapted(loaded: LoadedModel) -> bool:
    from peft import PeftModel

    whole: nn.Module = loaded.model
    return isinstance(whole, PeftModel)


def _fused(loaded: LoadedModel, kept: Kept) -> LoadedModel:
    """Adapters below an edit that multiplies or zeroes become part of the weights that it changes."""
    from peft import PeftModel
    from peft.tuners.tuners_utils import BaseTunerLayer

    model: nn.Module = loaded.model
    if not isinstance(model, PeftModel):
        return loaded
    weights = [layer.get_base_layer().weight for layer in model.modules() if isinstance(layer, BaseTunerLayer)]
    old = [cast(Tensor, weight).data.cpu().clone() for weight in weights]

    def restore() -> None:
        with torch.no_grad():
            for weight, values in zip(weights, old, strict=True):
                cast(Tensor, weight).copy_(values)

    kept.calls(restore)
    return replace(loaded, model=cast("PreTrainedModel", model.merge_and_unload()))


def _nothing() -> None:
    """Nothing was laid."""


LAY: Mapping[tuple[Kind, str], Lay] = {
    ("adapter", "peft"): _lay_peft,
    ("edit", "zeroed"): _edit(zero, fuses=True),
    ("edit", "scaled"): _edit(scale, fuses=True),
    ("edit", "low_rank"): _edit(add_product, fuses=False),
    ("edit", "dense"): _edit(add_matrix, fuses=False),
    ("edit", "seeded"): _edit(add_noise, fuses=True),
    ("steering", "linear"): lay_steering,
    ("steering", "rotate"): lay_steering,
    ("steering", "corrupt"): lay_steering,
    ("guard", "refuse"): lay_guard,
    ("guard", "prompt"): lay_guard,
    ("guard", "restrict"): lay_restraint,
}
"""Kinds and forms, and what lays them."""
