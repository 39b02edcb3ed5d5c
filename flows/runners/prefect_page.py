"""What a run shows in Prefect's own UI besides its states: counts by stage, drops with their reasons, and where it is.

A handful of small requests a build, so that a build at which nobody looks pays less than a second for them.
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from schemas.records.drop_reasons import REASONS
from schemas.storage.artifacts import Manifest
from schemas.vocabulary import STAGE_LINES

log = logging.getLogger(__name__)


def show_build(name: str, folder: Path, manifests: Sequence[Manifest]) -> None:
    """Write the artifacts of a build's flow run: a table of counts, one of drops, what to do next, and a link.

    A server that does not take them costs a warning, never the build.
    """
    key = re.sub(r"[^a-z0-9-]+", "-", name.lower())
    drops = [
        {"stage": manifest.stage, "left out": count, "reason": reason, "because": REASONS.get(reason, "")}
        for manifest in manifests
        for reason, count in sorted(manifest.drops.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
    try:
        create_table_artifact(table=_counts(manifests), key=f"{key}-counts", description=f"Stages of build {name}")
        if drops:
            create_table_artifact(table=drops, key=f"{key}-drops", description="What was left out, and why")
        create_markdown_artifact(markdown=_words(name, folder, manifests), key=f"{key}-build")
        create_link_artifact(
            link=(folder / "hub" / "README.md").resolve().as_uri(),
            link_text=f"dataset card of {name}",
            key=f"{key}-card",
            description="The exported dataset's card, on the machine that built it.",
        )
    except Exception as problem:  # noqa: BLE001 - whatever the server says, the build itself is done
        log.warning("Prefect did not take the build's artifacts: %s", problem)


def _counts(manifests: Sequence[Manifest]) -> list[dict[str, str | int]]:
    return [
        {
            "stage": manifest.stage,
            "what it does": STAGE_LINES[manifest.stage],
            "rows": ", ".join(
                f"{count:,} {table}" for table, count in manifest.rows_out.items() if count and table != "drops"
            ),
            "left out": sum(manifest.drops.values()),
            "key": manifest.key[:8],
        }
        for manifest in manifests
    ]


def _words(name: str, folder: Path, manifests: Sequence[Manifest]) -> str:
    stages = ", ".join(manifest.stage for manifest in manifests)
    return (
        f"# Build {name}\n\nUp to date: {stages}.\n\n"
        f"- folder: `{folder.resolve()}`\n- look inside: `ppubench report {folder}`\n"
        f"- what was left out: `ppubench status {folder}`\n- dataset: `{folder / 'hub'}`\n"
    )
