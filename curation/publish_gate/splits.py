"""The gate's rules about roles: split files of the right shape, disjoint, complete, and the same as the configs say."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from schemas.dataset.layout import ROLE_SUFFIX
from schemas.dataset.release import Fault, Part
from schemas.dataset.split_files import Roles, read_roles, split_file, split_ratios
from schemas.errors import BadInput
from schemas.vocabulary import ATTACKS, PUBLISHED_SETTING, SETTINGS, Setting


@dataclass(frozen=True)
class KnownSample:
    """What the rules about roles need of a sample."""

    subject_id: str
    sensitivity: str


def split_faults(
    hub: Path, samples: Mapping[str, KnownSample], sensitive: Collection[str], *, part: Part
) -> Iterator[Fault]:
    """Faults of the three split files against the samples of the data.

    A subject has both personalized roles in the whole; one part of a build cut in two may hold one of them.
    """
    for setting in SETTINGS:
        where = split_file(hub, setting).relative_to(hub).as_posix()
        try:
            ratios: tuple[int | None, ...] = split_ratios(hub) if setting == "complete" else (None,)
            cuts = [read_roles(hub, setting, ratio) for ratio in ratios]
        except BadInput as problem:
            rule = "split-overlap" if "both roles" in problem.found else "split-missing"
            yield Fault(rule=rule, where=where, found=problem.found)
            continue
        if not cuts:
            yield Fault(rule="split-missing", where=where, found="has no ratio")
        for roles in cuts:
            yield from _unknown(roles, samples, where)
        yield from _repeated(hub, setting, where)
    yield from _nested(hub)
    yield from _complete(hub, samples, sensitive, both_roles=part == "all")


def _unknown(roles: Roles, samples: Mapping[str, KnownSample], where: str) -> Iterator[Fault]:
    gone = roles.missing((name, sample.subject_id) for name, sample in samples.items())
    if gone:
        yield Fault(
            rule="split-unknown", where=where, found=f"names {len(gone)} ids that the data lacks, first {gone[0]}"
        )


def _repeated(hub: Path, setting: Setting, where: str) -> Iterator[Fault]:
    content = json.loads(split_file(hub, setting).read_text())
    if setting == "selective":
        lists = {"entry": [str(entry["id"]) for entry in content]}
    else:
        lists = {name: [str(each) for each in ids] for name, ids in content.items()}
    for name, ids in lists.items():
        for each, count in Counter(ids).items():
            if count > 1:
                place = f"{where}, {name} {len(ids) - 1 - ids[::-1].index(each)}"
                yield Fault(rule="split-repeated", where=place, found=f"{each} is listed {count} times")


def _nested(hub: Path) -> Iterator[Fault]:
    try:
        ratios = split_ratios(hub)
        cuts = [(ratio, read_roles(hub, "complete", ratio).forget) for ratio in ratios]
    except BadInput:
        return  # said already
    where = split_file(hub, "complete").relative_to(hub).as_posix()
    for (small, inner), (large, outer) in pairwise(cuts):
        for subject in sorted(inner - outer):
            found = f"subject {subject} is in forget{small} and not in forget{large}"
            yield Fault(rule="split-nested", where=f"{where}, forget{small}", found=found)


def _complete(
    hub: Path, samples: Mapping[str, KnownSample], sensitive: Collection[str], *, both_roles: bool
) -> Iterator[Fault]:
    """Every sample of a subject who has more than one is in a role; each such subject has both personalized roles."""
    by_subject: defaultdict[str, list[str]] = defaultdict(list)
    for name, sample in sorted(samples.items()):
        by_subject[sample.subject_id].append(name)
    try:
        personal, selective = read_roles(hub, "personalized", None), read_roles(hub, "selective", None)
    except BadInput:
        return
    where = split_file(hub, "personalized").relative_to(hub).as_posix()
    for subject, names in sorted(by_subject.items()):
        if len(names) < 2:
            continue
        roles = {name: personal.role(name, subject) for name in names}
        without = [name for name, role in roles.items() if role is None]
        if without:
            found = f"sample {without[0]} is in neither role, like {len(without) - 1} others of subject {subject}"
            yield Fault(rule="split-incomplete", where=where, found=found)
        elif both_roles and len(set(roles.values())) < 2:
            found = f"subject {subject} has only {roles[names[0]]} samples"
            yield Fault(rule="split-one-sided", where=where, found=found)
        yield from _sensitive(hub, names, samples, selective, sensitive)


def _sensitive(
    hub: Path, names: list[str], samples: Mapping[str, KnownSample], selective: Roles, sensitive: Collection[str]
) -> Iterator[Fault]:
    where = split_file(hub, "selective").relative_to(hub).as_posix()
    for name in names:
        is_sensitive = samples[name].sensitivity in sensitive
        if is_sensitive and name not in selective.forget:
            found = f"sample {name} is of class {samples[name].sensitivity} and is not listed"
            yield Fault(rule="split-sensitive", where=where, found=found)
        if not is_sensitive and name in selective.forget:
            found = f"sample {name} is listed and is of class {samples[name].sensitivity}, which is not sensitive"
            yield Fault(rule="split-sensitive", where=where, found=found)


def config_roles(hub: Path) -> dict[str, tuple[Roles, str]]:
    """By config of cross-image and attack rows: the roles of its setting, and the one that all its rows must have."""
    found: dict[str, tuple[Roles, str]] = {}
    for setting in SETTINGS:
        try:
            ratios: tuple[int | None, ...] = split_ratios(hub) if setting == "complete" else (None,)
            cuts = [(ratio, read_roles(hub, setting, ratio)) for ratio in ratios]
        except BadInput:
            continue
        name = PUBLISHED_SETTING[setting]
        for role, suffix in ROLE_SUFFIX.items():
            for ratio, roles in cuts:
                found[f"cross_image_{name}{f'_r{ratio}' if ratio else ''}{suffix}"] = roles, role
                for attack in ATTACKS:
                    found[f"{attack}_{name}{ratio or ''}{suffix}"] = roles, role
    return found
