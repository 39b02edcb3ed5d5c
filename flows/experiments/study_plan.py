"""What a study recipe asks for: its units in order, what each is asked, and the checks before anything runs."""

import difflib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.tasks.dataset_rows import attack_configs
from flows.evaluation.settled_request import VERSION, modalities_under, tasks_under
from flows.resources.user_code import find_method, find_metric, is_own
from schemas.dataset.folder import config_names, dataset_folder
from schemas.errors import BadInput
from schemas.records.evaluation import AttackName
from schemas.records.study import StudyRecipe
from schemas.storage.artifacts import digest
from schemas.vocabulary import Setting

TARGET_UNIT = "target"


@dataclass(frozen=True)
class Unit:
    """One cell of the matrix; method "" is the untouched target, which stands under all settings."""

    name: str
    method: str
    setting: Setting | None
    ratio: int | None
    seed: int | None
    lr: float | None
    oracle: bool = False
    """A model that never knew the forget set of its setting."""


@dataclass(frozen=True)
class Slice:
    """One evaluation."""

    setting: Setting
    ratio: int | None
    attack: AttackName | None


def check_named(recipe: StudyRecipe) -> None:
    """Raise BadInput for a model, method, number or metric that cannot be meant, before the dataset is looked for."""
    from unlearn.methods.table import METHODS
    from unlearn.models.model_folder import check_model_folder
    from unlearn.presets import numbers_for

    check_model_folder(recipe.model)
    for method in recipe.methods:
        if is_own(method):
            own = find_method(method)
            numbers_for(own.name, preset=recipe.preset, parameters=0, family="", overrides=recipe.numbers,
                        own=own.numbers)  # fmt: skip
            continue
        if method not in METHODS:
            near = difflib.get_close_matches(method, METHODS, n=1)
            advice = f"did you mean {near[0]}?" if near else f"choose among {', '.join(METHODS)}"
            raise BadInput(f"recipe {recipe.name}, methods", f"{method!r} is not a method", advice)
        numbers_for(method, preset=recipe.preset, parameters=0, family="", overrides=recipe.numbers)
    names = [find_method(method).name for method in recipe.methods]
    if len(set(names)) < len(names):
        raise BadInput(f"recipe {recipe.name}, methods", "two have the same name", "rename one of your own")
    for word in recipe.evaluate.metrics:
        find_metric(word)


def check_recipe(recipe: StudyRecipe) -> None:
    """Raise BadInput for a device that is not here, and for a setting, ratio, task or attack that the dataset lacks."""
    from unlearn.data import read_samples
    from unlearn.training.processes import check_device

    check_device(recipe.device)
    if recipe.oracle:
        from flows.resources.oracle import world_of

        world_of(recipe.dataset, recipe.model)
    for setting, ratio in conditions_of(recipe):
        read_samples(
            recipe.dataset,
            setting=setting,
            ratio=ratio,
            modality="vqa" if recipe.modality == "vqa" else "qa",
            target=recipe.target,
            allow_missing=recipe.allow_missing,
        )
    _check_slices(recipe)


def _check_slices(recipe: StudyRecipe) -> None:
    """Raise BadInput where an evaluation of the study would be refused, for want of a config or otherwise."""
    asked, hub = recipe.evaluate, dataset_folder(recipe.dataset)
    present = config_names(hub)
    for task in asked.tasks:
        if f"ppu_eval_{task}" not in present:
            found = f"{hub}/data has no config ppu_eval_{task}"
            raise BadInput(f"recipe {recipe.name}, evaluate.tasks", found, f"it has {', '.join(present)}")
    if "quantised" in asked.attacks and recipe.device != "cpu":
        where = f"recipe {recipe.name}, evaluate.attacks"
        raise BadInput(where, f"quantised runs on a CPU, and device is {recipe.device}", "leave it out, or use the cpu")
    for setting, ratio in conditions_of(recipe):
        for attack in asked.attacks:
            try:
                tasks_under(attack, asked.tasks)
                modalities_under(attack, asked.modalities)
                attack_configs(hub, setting, ratio, attack)
            except BadInput as problem:
                where = f"recipe {recipe.name}, evaluate.attacks, {attack} for {setting} {ratio or ''}".rstrip()
                raise BadInput(where, f"{problem.where} {problem.found}", problem.advice) from problem


def plan_units(recipe: StudyRecipe) -> list[Unit]:
    """The untouched target, then of every setting its oracle, and every method with every seed and learning rate."""
    units = [Unit(TARGET_UNIT, "", None, None, None, None)]
    for setting, ratio in conditions_of(recipe):
        if recipe.oracle:
            name = "_".join(filter(None, ("oracle", setting, f"r{ratio}" if ratio else "")))
            units.append(Unit(name, "", setting, ratio, None, None, oracle=True))
        for method in recipe.methods:
            for lr in recipe.learning_rates or (None,):
                for seed in recipe.seeds:
                    place = [setting, f"r{ratio}" if ratio else "", f"lr{lr:g}" if lr else "", f"seed{seed}"]
                    words = [_short(method), *place]
                    units.append(Unit("_".join(word for word in words if word), method, setting, ratio, seed, lr))
    return units


def slices_of(recipe: StudyRecipe, unit: Unit) -> tuple[Slice, ...]:
    """The evaluations of a unit: each of its conditions, plain and under every attack of the recipe.

    An oracle has none: it is asked on the routes alone. At a ratio for which the dataset does not write an attack its
    next larger ratio is asked (attack_configs).
    """
    if unit.oracle:
        return ()
    conditions = conditions_of(recipe) if unit.setting is None else [(unit.setting, unit.ratio)]
    found = []
    for setting, ratio in conditions:
        found.append(Slice(setting, ratio, None))
        for attack in recipe.evaluate.attacks:
            if not unit.method and attack == "relearn":
                continue  # an untouched model has nothing to learn again
            found.append(Slice(setting, ratio, attack))
    return tuple(found)


def _short(method: str) -> str:
    """What a unit's folder calls a method; a file that was edited is another method with a folder of its own."""
    if not is_own(method):
        return method
    found = find_method(method)
    return f"{found.name}-{found.code[:6]}"


def unit_keys(recipe: StudyRecipe, units: Sequence[Unit]) -> dict[str, str]:
    """By unit name: the digest of all that decides its result. A finished unit of another key is done again."""
    from eval.routes.table import ROUTES
    from unlearn.models.model_folder import base_digest

    shared = recipe.model_dump(
        mode="json",
        include={"preset", "modality", "numbers", "target"},
    )
    shared["dataset"] = _dataset_digest(recipe.dataset)
    own = {
        method: f"{find_method(method).name} {find_method(method).code}" for method in recipe.methods if is_own(method)
    }
    shared["base"] = base_digest(recipe.model)
    asked = recipe.evaluate.model_dump(mode="json", exclude={"metrics", "routes"})
    if recipe.evaluate.routes:
        asked["routes"] = [[name, ROUTES[name].version] for name in recipe.evaluate.routes]
    if recipe.evaluate.metrics:
        asked["metrics"] = [find_metric(word).code for word in recipe.evaluate.metrics]
    shared["evaluate"], shared["evaluation version"] = asked, VERSION
    return {
        unit.name: digest(
            {
                **shared,
                "unit": [own.get(unit.method, unit.method), unit.setting, unit.ratio, unit.seed, unit.lr],
                "slices": [[each.setting, each.ratio, each.attack] for each in slices_of(recipe, unit)],
            }
        )
        for unit in units
    }


def conditions_of(recipe: StudyRecipe) -> list[tuple[Setting, int | None]]:
    """The settings of a study, complete once for each ratio."""
    found: list[tuple[Setting, int | None]] = []
    for setting in recipe.settings:
        found.extend((setting, ratio) for ratio in (recipe.ratios if setting == "complete" else (None,)))
    return found


def _dataset_digest(dataset: Path) -> str:
    """Digest of the names and contents of a dataset's files."""
    hub = dataset_folder(dataset)
    total = hashlib.sha256()
    for path in _data_files(hub):
        content = hashlib.sha256()
        with path.open("rb") as handle:
            while block := handle.read(1 << 20):
                content.update(block)
        total.update(json.dumps([path.relative_to(hub).as_posix(), content.hexdigest()]).encode())
    return total.hexdigest()[:32]


def _data_files(hub: Path) -> Iterator[Path]:
    yield from sorted(path for path in (hub / "data").rglob("*") if path.suffix in (".parquet", ".json"))
