"""The published layout: names of configs, their splits and the records of their rows."""

from collections.abc import Sequence
from typing import Literal

from schemas.dataset.release import Part
from schemas.dataset.samples import (
    AttackSample,
    CrossImageSample,
    EvalSample,
    ImageCredit,
    TextTrainPair,
    TrainPair,
    UnlearningTarget,
)
from schemas.records.build_rows import Fact
from schemas.storage.tables import Record
from schemas.vocabulary import ATTACKS, PUBLISHED_SETTING, TASKS, Attack, Role, Setting, Task

ROLE_SUFFIX: dict[Role, str] = {"forget": "", "retain": "_retain"}
"""The published configs hold forget samples alone; ours adds the retain samples in configs of their own."""

DEFAULT_CONFIG = "ppu_eval_generation"


class Slice(Record):
    """One setting (and ratio, for complete) as the configs are cut by it."""

    setting: Setting
    ratio: int | None


def cross_slices(ratios: Sequence[int]) -> list[Slice]:
    """The slices with cross-image configs: complete at every ratio, selective, personalized."""
    complete = [Slice(setting="complete", ratio=ratio) for ratio in sorted(ratios)]
    return [*complete, Slice(setting="selective", ratio=None), Slice(setting="personalized", ratio=None)]


def attack_slices(ratios: Sequence[int]) -> list[Slice]:
    """The slices with attack configs. The largest ratio holds the samples of the smaller ones, so it stands for all."""
    return cross_slices([max(ratios)])


def eval_config(task: Task) -> str:
    """`ppu_eval_<task>`."""
    return f"ppu_eval_{task}"


def cross_config(cut: Slice, role: Role) -> str:
    """`cross_image_complete_r30`, `cross_image_selective`, `cross_image_persona`, with `_retain` for that role."""
    ratio = "" if cut.ratio is None else f"_r{cut.ratio}"
    return f"cross_image_{PUBLISHED_SETTING[cut.setting]}{ratio}{ROLE_SUFFIX[role]}"


def attack_config(attack: Attack, cut: Slice, role: Role) -> str:
    """`<attack>_complete30`, `<attack>_selective`, `<attack>_persona`, with `_retain` for that role."""
    return f"{attack}_{PUBLISHED_SETTING[cut.setting]}{cut.ratio or ''}{ROLE_SUFFIX[role]}"


def config_records(*, target: str, ratios: Sequence[int]) -> dict[str, type[Record]]:
    """Every config of a release and the record of its rows, in the card's order."""
    records: dict[str, type[Record]] = {
        f"train_pair_{target}": TrainPair,
        f"train_pair_{target}_qa": TextTrainPair,
        "unlearning_target": UnlearningTarget,
        **{eval_config(task): EvalSample for task in TASKS},
    }
    for role in ROLE_SUFFIX:
        records |= {cross_config(cut, role): CrossImageSample for cut in cross_slices(ratios)}
    for role in ROLE_SUFFIX:
        for attack in ATTACKS:
            records |= {attack_config(attack, cut, role): AttackSample for cut in attack_slices(ratios)}
    return records | {"attribution": ImageCredit}


def config_record(config: str, *, target: str) -> type[Record]:
    """The record of a config's rows, by its name."""
    fixed: dict[str, type[Record]] = {
        f"train_pair_{target}": TrainPair,
        f"train_pair_{target}_qa": TextTrainPair,
        "unlearning_target": UnlearningTarget,
        **{eval_config(task): EvalSample for task in TASKS},
        "attribution": ImageCredit,
    }
    return fixed.get(config) or (CrossImageSample if config.startswith("cross_image_") else AttackSample)


def config_split(config: str) -> Literal["train", "test"]:
    """The published split of a config: train for what is trained on, test for the rest."""
    return "train" if config.startswith(("train_pair_", "unlearning_target")) else "test"


def included(fact: Fact, part: Part) -> bool:
    """Whether a release of this part takes the fact."""
    return part == "all" or fact.gated == (part == "gated")
