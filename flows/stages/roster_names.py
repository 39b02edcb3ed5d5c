"""Whom a recipe's names and roster mean: clear names are resolved, doubtful ones wait for the maintainer."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import JsonValue

from curation.subjects.name_resolution import resolve_name
from curation.subjects.roster import LEAVE_OUT, QID, Resolution, RosterLine, read_decisions, read_roster, write_doubts
from curation.subjects.selection import drop_of, told_of_subjects
from flows.pipeline.build_folder import BuildFolder
from flows.pipeline.stage import StageRun
from schemas.errors import BadInput
from schemas.protocols.source import Source
from schemas.records.build_rows import Drop
from schemas.records.entities import Entity
from schemas.storage.artifacts import digest

log = logging.getLogger(__name__)

T = TypeVar("T")
ROSTER, RESOLVE = "roster.csv", "resolve.csv"
"""In the build folder: the recipe's roster as it was, and the doubtful names for the maintainer to decide."""
BLOCK = 50


@dataclass(frozen=True)
class Asked:
    """Whom the recipe names, as far as that is clear."""

    lines: list[tuple[RosterLine, str]] = field(default_factory=list)
    """Roster lines with the QID that each means."""
    drops: list[Drop] = field(default_factory=list)
    resolutions: list[Resolution] = field(default_factory=list)
    """What names were taken to mean, doubtful ones among them."""


def named_outside(build: BuildFolder) -> dict[str, str]:
    """Digests of the roster and of the maintainer's decisions, as far as the build's selection has them."""
    config, found = build.recipe.select, dict[str, str]()
    if config.roster:
        lines: list[JsonValue] = [line.model_dump(exclude={"line"}) for line in read_roster(build.path / ROSTER)]
        found["roster"] = digest(lines)
    if build.batch == 0 and (config.subjects or config.roster):
        decisions: dict[str, JsonValue] = dict(read_decisions(build.path / RESOLVE))
        found |= {"decisions": digest(decisions)} if decisions else {}
    return found


def named(run: StageRun, source: Source) -> Asked:
    """The lines of the recipe's roster or subjects; doubtful names go to RESOLVE, which the maintainer edits.

    Raises BadInput where there are doubtful names and the recipe says to stop for them.
    """
    config, path = run.recipe.select, run.build.path / RESOLVE
    lines = read_roster(run.build.path / ROSTER) if config.roster else lines_of(config.subjects)
    left_out = lines[config.limit :]
    if left_out:
        log.warning("select: limit = %d, so %d more that were named are left out", config.limit, len(left_out))
    decisions = read_decisions(path) if run.build.batch == 0 else {}

    def progress(done: int) -> None:
        run.progress("select", done, len(lines))

    asked = resolved(
        lines[: config.limit], source, decisions, least_sitelinks=max(1, config.min_sitelinks), progress=progress
    )
    doubts = [one for one in asked.resolutions if one.reason]
    if run.build.batch == 0 and (doubts or path.exists()):
        write_doubts(path, doubts, decisions)
    if doubts:
        found = f"{len(doubts)} of {len(lines)} names are doubtful"
        if config.doubtful == "stop":
            advice = f"fill in its column qid (or {LEAVE_OUT} to leave one out) and run the command again"
            raise BadInput(str(path), found, advice)
        log.warning("select: %s and left out; decide them in %s and run the command again", found, path)
    return asked


def resolved(
    lines: Sequence[RosterLine],
    source: Source,
    decisions: Mapping[str, str],
    *,
    least_sitelinks: int,
    progress: Callable[[int], None],
) -> Asked:
    """What each line means. Names are looked up fifty at a time, so that candidates share their requests."""
    asked = Asked()
    done = 0
    for block in blocks(lines, BLOCK):
        wanted = {line.name for line in block if not line.qid and line.name not in decisions}
        matches = {name: source.search(name) for name in sorted(wanted)}
        qids = sorted({match.qid for found in matches.values() for match in found if not match.near})
        entities = {entity.requested_id: told(entity) for entity in source.entities(qids) if isinstance(entity, Entity)}
        for line in block:
            qid = line.qid or decisions.get(line.name, "")
            if qid == LEAVE_OUT:
                asked.drops.append(drop_of(line.asked, "left_to_maintainer", ""))
                continue
            if not qid:
                meant = resolve_name(line.name, matches[line.name], entities, least_sitelinks=least_sitelinks)
                asked.resolutions.append(meant)
                if meant.reason:
                    asked.drops.append(drop_of(line.name, meant.reason, meant.note))
                    continue
                qid = meant.qid
            asked.lines.append((line, qid))
        done += len(block)
        progress(done)
    return asked


def lines_of(words: Sequence[str]) -> list[RosterLine]:
    """Names and QIDs as they are typed."""
    return [
        RosterLine(line=number, qid=word) if QID.fullmatch(word) else RosterLine(line=number, name=word)
        for number, word in enumerate(words, start=1)
    ]


def told(entity: Entity) -> Entity:
    """The entity with only the statements that a Subject row is made of: a caller may hold thousands."""
    return entity.model_copy(update={"statements": told_of_subjects(entity)})


def blocks(items: Sequence[T], size: int) -> Iterable[list[T]]:
    """The items in order, so many at a time."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
