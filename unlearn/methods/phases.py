"""Phases of a method: which of its terms forget and which keep, and whether its numbers can work with them."""

from schemas.errors import BadInput
from unlearn.losses.term import KEPT
from unlearn.methods.rows.method import Method
from unlearn.presets import Numbers

Phase = str


def phase_of(method: Method) -> dict[str, Phase]:
    """The phase of each term: "retain" where it reads nothing but retain samples, else "forget"."""
    return {
        name: "retain" if all(group <= KEPT for group in method.term(name).needs) else "forget" for name in method.terms
    }


def check_phases(method: Method, numbers: Numbers) -> None:
    """Raise BadInput where a combiner, a mask and an optimiser do not go together, or a combiner has one phase."""
    if not method.trains:
        return
    where = f"combine = {numbers.combine} with {method.name}"
    found = set(phase_of(method).values())
    if numbers.combine != "sum" and len(found) == 1:
        kind = "nothing is kept" if found == {"forget"} else "nothing is forgotten"
        raise BadInput(where, f"there is one gradient and none to combine it with: {kind}", "choose one such as gd")
    if numbers.combine != "sum" and method.masked:
        raise BadInput(where, "the method's mask combines its gradients already", "choose a method without a mask")
    if method.masked and numbers.adapter_start != "zero":
        found_there = f"the mask of {method.name} is taken of weights that this start would replace"
        raise BadInput(f"adapter_start = {numbers.adapter_start}", found_there, 'take adapter_start = "zero"')
    whole = bool(method.terms) and method.masked == frozenset(method.terms)
    if whole and numbers.trained == "full" and numbers.weight_decay:
        found_there = "would move the weights that the mask holds"
        raise BadInput(f"weight_decay with {method.name}, trained = full", found_there, "take weight_decay = 0")
    grouped = next((name for name in ("group_weight", "group_drop") if getattr(numbers, name)), None)
    if grouped and (numbers.adapter_start != "zero" or numbers.trained == "full"):
        found_there = "looks at what an adapter adds to a block, and here more than that one changes it"
        raise BadInput(grouped, found_there, 'take adapter_start = "zero" and trained = "lora"')
    if numbers.trained == "full" and (numbers.adapter_start != "zero" or numbers.transport_weight):
        asked = "adapter_start" if numbers.adapter_start != "zero" else "transport_weight"
        raise BadInput(f"{asked} with trained = full", "there is no adapter to start or hold", 'take trained = "lora"')
    if numbers.overlap_weight and numbers.adapter_start != "reglu":
        raise BadInput(
            "overlap_weight", "needs the directions that a start finds", 'take adapter_start = "reglu", or leave it out'
        )
    if numbers.optimiser in ("zeroth", "adam-zeroth"):
        where = f"optimiser = {numbers.optimiser} with {method.name}"
        if numbers.combine != "sum" or method.masked:
            found_there = "a saliency mask" if method.masked else f"combine = {numbers.combine}"
            raise BadInput(where, f"{found_there} needs gradients, and this has losses alone", "use adamw or sign-sgd")
