"""Guards put round a responder: which gate asks what, and what a server's responder can have round it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from eval.guards.guarded import Fact, Fires, Guard, Guarded
from schemas.errors import BadInput
from schemas.protocols.responder import Ask, ChoiceScorer, Responder
from schemas.records.interventions import Intervention, read_records

if TYPE_CHECKING:
    from unlearn.interventions.parts import Part
    from unlearn.models.loading import LoadedModel

Forgotten = Callable[[Ask], Fact | None]
"""The fact that a question asks for where that was to be forgotten: what an oracle is told, and no method."""
Hidden = Callable[[int, Sequence[Ask]], Mapping[str, bool]]
"""Whether the gate of that guard of a live stack, counted from 0, knows each prompt."""


def guarded(
    responder: Responder,
    scorer: ChoiceScorer | None,
    parts: "Sequence[Part]",
    *,
    hidden: Hidden | None = None,
    forgotten: Forgotten | None = None,
) -> tuple[Responder, ChoiceScorer | None]:
    """The responder and its scorer with the guards among the parts round them, in order; as they are without any.

    Raises BadInput for a gate that cannot be asked here: of hidden states without a local model, of roles without
    questions.
    """
    guards = [part for part in parts if part.intervention.kind == "guard" and part.intervention.form != "restrict"]
    if not guards:
        return responder, scorer
    found = tuple(
        Guard(part.intervention, _fires(number, part, hidden, forgotten), forgotten)
        for number, part in enumerate(guards)
    )
    around = Guarded(responder, found, scorer)
    return around, None if scorer is None else around


def _fires(number: int, part: "Part", hidden: Hidden | None, forgotten: Forgotten | None) -> Fires:
    from unlearn.interventions.text_gates import fires_on

    source = part.intervention.gate.source if part.intervention.gate else "always"
    if source == "hidden":
        if hidden is None:
            found = "has a gate that reads the target's hidden states, which a server does not give"
            raise BadInput(part.name, found, "make it with a text gate, or evaluate the model's folder")
        return partial(hidden, number)
    if source == "oracle":
        if forgotten is None:
            found = "is told which questions are forgotten, and nobody here knows"
            raise BadInput(part.name, found, "it is a control of evaluations alone")
        return lambda asks: {ask.ask_id: forgotten(ask) is not None for ask in asks}
    fires_on(part, [])  # a gate without prompts is refused before anything is asked

    def on_text(asks: Sequence[Ask]) -> dict[str, bool]:
        fired = fires_on(part, [ask.text for ask in asks])
        return {ask.ask_id: hit for ask, hit in zip(asks, fired, strict=True)}

    return on_text


def reads_states(record: Intervention) -> bool:
    """Whether it looks into each prompt's passes, so that prompts share no opening; a guard by words need not."""
    inside = record.kind == "steering" or record.form == "restrict"
    return inside or (record.gate is not None and record.gate.source == "hidden")


def check_fits(loaded: "LoadedModel", parts: "Sequence[Part]") -> None:
    """Raise BadInput for a prompt guard whose words leave no room for a question in the model's context."""
    context = getattr(loaded.model.config.get_text_config(), "max_position_embeddings", None)
    for part in parts:
        if part.intervention.kind != "guard" or part.intervention.form != "prompt" or not isinstance(context, int):
            continue
        tokens = len(loaded.processor.tokenizer("\n".join(part.intervention.texts))["input_ids"])
        if tokens >= context:
            found = f"its words take {tokens:,} tokens, and the model's context has {context:,}"
            raise BadInput(part.name, found, "make it with a shorter list")


def check_before_server(overlay: Path) -> list[Intervention]:
    """The records of a folder that is put before a server; raises BadInput for one with anything but guards."""
    records = read_records(overlay)
    for record in records:
        if record.kind != "guard" or record.form == "restrict":
            found = f"holds a part ({record.kind} {record.form}) that acts inside of a model, which is behind a server"
            raise BadInput(str(overlay), found, "serve the model with it, or name its folder as --model")
        if record.gate is not None and record.gate.source == "hidden":
            found = f"its {record.form} guard has a gate of the target's hidden states, which a server does not give"
            raise BadInput(str(overlay), found, "make it with a text gate, or name the model's folder as --model")
    return records


def parts_before_server(overlay: Path) -> "list[Part]":
    """The guards of a folder with their gates. Whether the server has their base cannot be seen from here."""
    from unlearn.interventions.files import read_stack

    records = read_records(overlay)
    return read_stack(overlay, beneath=records[0].beneath) if records else []


def fires_of(stack: Sequence[Intervention]) -> dict[str, float]:
    """The shares of prompts on which a stack acts, by group: of its gates the one that fires most."""
    found: dict[str, float] = {}
    for record in stack:
        for group, share in (record.gate.fires if record.gate else {}).items():
            found[group] = max(found.get(group, 0.0), share)
    return found
