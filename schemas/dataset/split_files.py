"""Which samples a setting forgets and which it keeps: the one reader of the three published split files."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import BadInput
from schemas.storage.git_lfs import ADVICE, FOUND, is_pointer_file
from schemas.vocabulary import PUBLISHED_SETTING, Role, Setting


@dataclass(frozen=True)
class Roles:
    """Forget and retain ids of one setting; ids are of subjects for complete, of samples otherwise."""

    forget: frozenset[str]
    retain: frozenset[str] | None
    """None: whatever is not forgotten."""
    of_subjects: bool

    def role(self, sample_id: str, subject_id: str) -> Role | None:
        """The role of a sample; None if the split names it in neither role."""
        unit = subject_id if self.of_subjects else sample_id
        if unit in self.forget:
            return "forget"
        return "retain" if self.retain is None or unit in self.retain else None

    def missing(self, present: Iterable[tuple[str, str]]) -> list[str]:
        """Ids that the split names and that none of the (sample_id, subject_id) given has, sorted."""
        units = {subject if self.of_subjects else sample for sample, subject in present}
        return sorted((self.forget | (self.retain or frozenset())) - units)


def split_file(hub: Path, setting: Setting) -> Path:
    """Where the split file of a setting stands in a dataset folder."""
    return hub / "data" / "split" / f"{PUBLISHED_SETTING[setting]}_split.json"


def read_roles(hub: Path, setting: Setting, ratio: int | None) -> Roles:
    """The roles of a setting, and of a ratio in per cent for complete. Raises BadInput where the dataset lacks them."""
    path = split_file(hub, setting)
    if not path.is_file():
        raise BadInput(str(path), f"no such file, so the dataset has no {setting} setting", "choose another setting")
    if setting != "complete" and ratio is not None:
        raise BadInput(f"ratio {ratio}", f"the {setting} setting has no ratio", "give a ratio with complete alone")
    try:
        content = json.loads(path.read_text())
        if setting == "complete":
            return Roles(frozenset(map(str, _at_ratio(content, ratio, path))), None, True)
        if setting == "selective":
            return Roles(frozenset(str(entry["id"]) for entry in content), None, False)
        roles = Roles(frozenset(map(str, content["delete_ids"])), frozenset(map(str, content["keep_ids"])), False)
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        raise _damaged(path, setting, error) from error
    if both := sorted(roles.forget & (roles.retain or frozenset())):
        raise BadInput(str(path), f"has {both[0]} in both roles", "export the dataset again")
    return roles


def split_ratios(hub: Path) -> tuple[int, ...]:
    """The ratios in per cent that the complete setting has, rising; empty where the dataset lacks the setting."""
    path = split_file(hub, "complete")
    try:
        return tuple(_ratios(json.loads(path.read_text())))
    except FileNotFoundError:
        return ()
    except (json.JSONDecodeError, TypeError, UnicodeDecodeError, ValueError) as error:
        raise _damaged(path, "complete", error) from error


def _damaged(path: Path, setting: Setting, error: Exception) -> BadInput:
    if is_pointer_file(path):
        return BadInput(str(path), FOUND, ADVICE)
    return BadInput(str(path), f"is not a {setting} split ({error!r})", "export the dataset again")


def _ratios(content: Mapping[str, list[str]]) -> list[int]:
    return sorted(int(name.removeprefix("forget")) for name in content if name.startswith("forget"))


def _at_ratio(content: Mapping[str, list[str]], ratio: int | None, path: Path) -> list[str]:
    ratios = _ratios(content)
    if ratio is None or ratio not in ratios:
        found = "needs a ratio" if ratio is None else f"has no ratio {ratio}"
        raise BadInput(f"{path}: the complete setting", found, f"choose one of {', '.join(map(str, ratios))}")
    return content[f"forget{ratio}"]
