"""Every number of a method, from one TOML file: `default` (ours) and `published` (as the published code runs)."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from schemas.errors import BadInput
from unlearn.schedules import Schedule

Preset = Literal["default", "published"]
PRESETS: tuple[Preset, ...] = ("default", "published")
Combination = Literal["sum", "gu", "blur", "surgery"]
Optimiser = Literal["adamw", "sign-sgd", "sign-adam", "zeroth", "adam-zeroth"]
GroupNorm = Literal["product", "factors"]
PRESETS_FILE = Path(__file__).with_name("presets.toml")

Positive = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]


class Numbers(BaseModel):
    """All that a run of a method is made of, besides model and data. presets.toml says what each means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # how long, how fast
    lr: Annotated[float, Field(gt=0)]
    epochs: Positive
    steps: Positive | None = None
    batch: Positive
    retain_batch: Positive
    accumulate: Positive = 1
    weight_decay: Weight = 0.01
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    lr_schedule: Literal["linear", "constant"] = "linear"
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    # what is trained
    trained: Literal["lora", "full"] = "lora"
    rank: Positive = 8
    alpha: Positive = 8
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    adapter_initial: Literal["kaiming", "gaussian"] = "gaussian"
    adapter_on: Literal["all", "mlp"] = "all"
    train_on_eot: bool = True
    wording: Literal["probe", "question"] = "probe"
    # which samples meet
    schedule: Schedule = "proportional"
    matched: Annotated[int, Field(ge=0)] = 0
    keep_global: bool = True
    # the terms
    forget_weight: Weight = 1.0
    retain_weight: Weight = 1.0
    matched_weight: Weight = 1.0
    kl_weight: Weight = 1.0
    boundary_weight: Weight = 1.0
    margin: Weight = 1.0
    beta: Annotated[float, Field(gt=0)] = 0.4
    npo_reduction: Literal["sample", "batch"] = "sample"
    npo_length_normalize: bool = False
    forget_nll_cap: Annotated[float, Field(gt=0)] | None = None
    kl_positions: Literal["answer", "all"] = "answer"
    gamma: Weight = 0.0
    smooth_rate: Annotated[float, Field(le=0)] = -0.4
    smooth_count: Positive = 2
    power: Weight = 1.0
    rest_power: Weight = 1.0
    teacher_strength: Weight = 0.0
    teacher_epochs: Positive = 10
    words_weight: Weight = 1.0
    dual_start: Weight = 50.0
    dual_step: Weight = 1.0
    dual_slack: Weight = 0.05
    dual_warmup: Annotated[int, Field(ge=0)] = 0
    # answers beside the trained ones, and what samples count
    refusals: tuple[str, ...] = ()
    refusal_weight: Weight = 1.0
    refusal_mean: Literal["own", "union"] = "own"
    divergence: Literal["tv", "kl", "pearson", "js"] = "tv"
    flat_pairs: bool = True
    decoupled_weight: Weight = 1.0
    decoupled_tokens: Positive = 32
    factors: Literal["none", "risk", "risk_mean_1"] = "none"
    # what is made of the gradients
    combine: Combination = "sum"
    combine_forget: Weight = 1.0
    combine_retain: Weight = 1.0
    optimiser: Optimiser = "adamw"
    zeroth_radius: Annotated[float, Field(gt=0)] = 1e-3
    zeroth_directions: Positive = 1
    zeroth_block: Positive = 20
    zeroth_lr: Annotated[float, Field(gt=0)] | None = None
    # where the adapter starts, and what holds weights
    adapter_start: Literal["zero", "fila", "vila", "reglu", "null-space"] = "zero"
    start_balance: Annotated[float, Field(ge=0, le=1)] = 0.5
    start_samples: Positive = 256
    null_share: Annotated[float, Field(gt=0, lt=1)] = 0.01
    overlap_weight: Weight = 0.0
    overlap_rank: Positive = 128
    transport_weight: Weight = 0.0
    transport_directions: Positive = 100
    group_weight: Weight = 0.0
    group_norm: GroupNorm = "product"
    group_drop: Annotated[float, Field(ge=0, lt=1)] = 0.0
    # hidden states
    layer: Annotated[int, Field(ge=0)] | None = None
    steer_to: Literal["random", "refusal"] = "random"
    steering: Annotated[float, Field(gt=0)] = 2.0
    steering_by: Literal["fixed", "norm"] = "norm"
    hold_weight: Weight = 1.0
    noise: Weight = 0.0
    # saliency masks
    fisher: Literal["sample", "batch"] = "sample"
    fisher_batch: Positive = 16
    preserve: Literal["both", "retain"] = "both"
    mask_threshold: Annotated[float, Field(gt=0)] = 1.0
    mask_by: Literal["ratio", "gradient", "attribution"] = "ratio"
    mask_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    mask_hessian: Annotated[float, Field(gt=0)] = 1.0
    mask_new_adapter: bool = False
    # MANU
    prune_shares: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()
    prune_unit: Literal["hidden", "output"] = "hidden"
    prune_layers: Literal["all", "last3"] = "all"
    prune_tokens: Literal["all", "answer"] = "answer"
    prune_normalize: bool = True
    prune_ranking: Literal["each", "together"] = "together"
    prune_score: Literal["ratio", "contrast"] = "ratio"
    prune_active: Annotated[float, Field(ge=0)] = 0.1
    # makers
    tried: tuple[Annotated[float, Field(gt=0, lt=float("inf"))], ...] = ()
    statistics_gb: Annotated[float, Field(gt=0)] = 8.0
    dampen_constant: Annotated[float, Field(gt=0)] = 1.0
    dampen_power: Annotated[float, Field(gt=0)] = 1.0
    ridge: Annotated[float, Field(gt=0)] = 1e-2
    edit_first: Annotated[float, Field(ge=0, le=1)] = 0.125
    edit_last: Annotated[float, Field(ge=0, le=1)] = 0.25
    value_steps: Positive = 25
    value_lr: Annotated[float, Field(gt=0)] = 0.1
    value_left: Annotated[float, Field(ge=0, lt=1)] = 0.01
    value_inflate: bool = False
    general_weight: Weight = 15000.0
    key_weight: Weight = 50.0
    erase_free: Annotated[float, Field(gt=0, lt=1)] = 0.3
    away: Literal["orthogonal", "difference"] = "orthogonal"
    clusters: Positive = 20
    corrupt: Literal["noise", "zero", "flip"] = "noise"
    corrupt_dims: Positive = 1
    false_fire: Annotated[float, Field(gt=0, lt=1)] = 0.05
    # retain facts that are kept from training: what stays is measured where nothing was rehearsed
    retain_held: Annotated[float, Field(ge=0, lt=1)] = 0.0
    # guards
    probe_every: Annotated[int, Field(ge=0)] = 0
    probe_samples: Positive = 64
    stop_forget_nll: Annotated[float, Field(gt=0)] | None = None
    stop_retain_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    stop_repetition: Annotated[float, Field(ge=0, le=1)] = 1.0


def numbers_at_default(numbers: Numbers) -> frozenset[str]:
    """The names of the numbers that are what they are where nobody says anything."""
    fields = Numbers.model_fields
    return frozenset(
        name for name, value in numbers if not fields[name].is_required() and value == fields[name].default
    )


@cache
def preset_table() -> Mapping[str, JsonValue]:
    """The TOML file, read once."""
    return tomllib.loads(PRESETS_FILE.read_text())


def numbers_for(
    method: str,
    *,
    preset: Preset,
    parameters: int,
    family: str,
    overrides: Mapping[str, JsonValue] | None = None,
    own: Mapping[str, JsonValue] | None = None,
) -> tuple[Numbers, tuple[str, ...]]:
    """The numbers of a method under a preset, and the sections of presets.toml that they come from, later ones winning.

    `parameters` decides whether a `tiny` section applies, `family` (a transformers model type) whether its section
    does; `own` are those of a method from a user's file, and `overrides` what the user typed. Raises BadInput for
    an unknown preset or a value out of range.
    """
    table = preset_table()
    if preset not in PRESETS:
        raise BadInput(f"preset {preset!r}", "is not known", f"choose one of {', '.join(PRESETS)}")
    tiny = parameters <= _whole(table["tiny_parameters"])
    places: list[tuple[str, str]] = [(preset, "all"), (preset, family), (preset, method)]
    if tiny:
        places += [(f"{preset}-tiny", "all"), (f"{preset}-tiny", method)]
    if preset == "published" and method in _sections(table, "default") and method not in _sections(table, preset):
        advice = "use the default preset, and give numbers of your own where you know better"
        raise BadInput(f"{method}, preset published", "has no numbers that its paper or code gives in full", advice)
    merged: dict[str, JsonValue] = {}
    used: list[str] = []
    for name, section in places:
        found = _sections(table, name).get(section)
        if isinstance(found, dict):
            merged |= found
            used.append(f"{name}.{section}")
    if own:
        merged |= own
        used.append("method file")
    typed = {name: value for name, value in (overrides or {}).items() if value is not None}
    if typed:
        merged |= typed
        used.append("command line")
    try:
        return Numbers.model_validate(merged), tuple(used)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"{method}, {where}", f"{first['msg']} (found {first['input']!r})", "give another value"
        ) from error


def _sections(table: Mapping[str, JsonValue], name: str) -> Mapping[str, JsonValue]:
    found = table.get(name)
    return found if isinstance(found, dict) else {}


def _whole(value: JsonValue) -> int:
    if not isinstance(value, int):
        raise BadInput(str(PRESETS_FILE), f"tiny_parameters is {value!r}", "make it a whole number")
    return value
