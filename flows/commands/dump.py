"""The command about Wikidata's dump, dump, and what it prints."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.terminal import Json, app, print_json, showing_progress
from schemas.errors import BadInput

log = logging.getLogger(__name__)


@app.command("dump", short_help="Extract people from Wikidata's dump.")
def dump_command(
    file: Annotated[Path, typer.Argument(help="A JSON dump of Wikidata: latest-all.json.gz, .bz2, .zst or plain.")],
    out: Annotated[Path, typer.Option(help="Folder for what is kept; a recipe names it as its source.")],
    qids: Annotated[Path | None, typer.Option(help="A roster with a column qid, or QIDs, one a line.")] = None,
    humans: Annotated[bool, typer.Option("--humans", help="Keep people by the options below.")] = False,
    min_sitelinks: Annotated[int, typer.Option(min=0, help="With --humans: least number of sitelinks.")] = 0,
    occupation: Annotated[
        list[str] | None, typer.Option(help="With --humans: QID of an occupation; may be given again.")
    ] = None,
    allow_cut: Annotated[bool, typer.Option("--allow-cut", help="Take a dump that ends too early as it is.")] = False,
    as_json: Json = False,
) -> None:
    """Extract people, and what their statements name, from Wikidata's dump; run it again to go on."""
    from flows.building.dump import Asked, extract, read_qids
    from flows.commands.show_dump import print_dump
    from sources.dump.entity_filter import PeopleRule

    if (qids is None) == (not humans):
        raise BadInput("ppubench dump", "who is to be kept?", "give either --qids FILE or --humans")
    if not humans and (min_sitelinks or occupation):
        raise BadInput("ppubench dump", "--min-sitelinks and --occupation go with --humans", "leave them out")
    rule = PeopleRule(min_sitelinks=min_sitelinks, occupations=tuple(sorted(set(occupation or ())))) if humans else None
    asked = Asked(qids=frozenset()) if qids is None else read_qids(qids)
    if asked.without_qid:
        count, first = len(asked.without_qid), asked.without_qid[0]
        log.warning("%s: %d people (%s first) have no QID there and are not looked for", qids, count, first)
    with showing_progress("dump") as progress:
        found = extract(file, out, rule=rule, qids=asked.qids, allow_cut=allow_cut, progress=progress)
    report = found.model_copy(update={"without_qid": asked.without_qid})
    print_json(report.model_dump(mode="json")) if as_json else print_dump(report)
