"""The three split files in the published shapes: complete by subject, selective by entry, persona by sample."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import JsonValue, TypeAdapter

from schemas.records.build_rows import Assignment
from schemas.storage.artifacts import write_json

_COMPLETE = TypeAdapter(dict[str, list[str]])
_SELECTIVE = TypeAdapter(list[dict[str, str]])


class SplitLists:
    """The ids of the split files, gathered subject by subject; strings only, in the order in which they come."""

    def __init__(self, ratios: Iterable[int]) -> None:
        self.complete: dict[int, list[str]] = {ratio: [] for ratio in sorted(ratios)}
        self.selective: list[tuple[str, str]] = []
        self.delete_ids: list[str] = []
        self.keep_ids: list[str] = []

    def add(self, assignments: Iterable[Assignment]) -> None:
        """Take roles; a subject is forgotten at a ratio as soon as one of its samples is."""
        for row in assignments:
            if row.setting == "personalized":
                (self.delete_ids if row.role == "forget" else self.keep_ids).append(row.sample_id)
            elif row.role == "retain":
                continue
            elif row.setting == "selective":
                self.selective.append((row.subject_id, row.sample_id))
            elif row.ratio in self.complete:
                subjects = self.complete[row.ratio]
                if row.subject_id not in subjects[-1:]:
                    subjects.append(row.subject_id)

    def take(self, folder: Path) -> None:
        """Take the lists of an earlier batch from the files that it wrote into `folder`."""
        complete = _COMPLETE.validate_json((folder / "complete_split.json").read_bytes())
        for ratio, subjects in self.complete.items():
            subjects += complete.get(f"forget{ratio}", [])
        rows = _SELECTIVE.validate_json((folder / "selective_split.json").read_bytes())
        self.selective += [(row["subject_id"], row["id"]) for row in rows]
        persona = _COMPLETE.validate_json((folder / "persona_split.json").read_bytes())
        self.delete_ids += persona["delete_ids"]
        self.keep_ids += persona["keep_ids"]

    def write(self, folder: Path) -> list[Path]:
        """Write `complete_split.json`, `selective_split.json` and `persona_split.json`; the files written."""
        contents: dict[str, JsonValue] = {
            "complete_split.json": {f"forget{ratio}": list(ids) for ratio, ids in self.complete.items()},
            "selective_split.json": [{"subject_id": subject, "id": sample} for subject, sample in self.selective],
            "persona_split.json": {"delete_ids": list(self.delete_ids), "keep_ids": list(self.keep_ids)},
        }
        for name, content in contents.items():
            write_json(folder / name, content)
        return [folder / name for name in contents]
