"""The commands about releases, publish and compare, and what they print."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.terminal import Json, app, print_json, showing_progress
from schemas.errors import BadInput


@app.command("publish", short_help="Publish a build to the Hugging Face Hub.")
def publish_command(
    folder: Annotated[Path, typer.Argument(metavar="BUILD")],
    repo: Annotated[str, typer.Option(help="Dataset repo on the Hub, OWNER/NAME.")],
    private: Annotated[bool, typer.Option("--private", help="Nobody but you and your team may see it.")] = False,
    gated: Annotated[bool, typer.Option("--gated", help="Everybody must ask for access.")] = False,
    gated_repo: Annotated[
        str | None, typer.Option(help="Repo of the gated classes, always gated [default: the repo's name with -gated].")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Of the release, such as 1.2.0 [default: the next one].")] = None,
    contact: Annotated[str | None, typer.Option(help="Take-down contact, instead of the recipe's.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    allow_role_changes: Annotated[
        bool, typer.Option("--allow-role-changes", help="Let published samples change their role.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Publish a build to the Hugging Face Hub in one commit, once everything about it has been checked."""
    from flows.commands.show_release import print_published
    from flows.publish.publish import PublishRequest, publish
    from sources.hub.download import quiet_unless_terminal

    quiet_unless_terminal()
    request = PublishRequest(
        repo,
        gated_repo=gated_repo,
        private=private,
        gated=gated,
        version=version,
        contact=contact,
        dry_run=dry_run,
        allow_role_changes=allow_role_changes,
    )
    with showing_progress("publish") as progress:
        report = publish(folder, request, progress=progress)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        print_published(report)
    sys.stdout.flush()
    if report.faults:
        found = f"the gate found {len(report.faults)} faults, and nothing was published"
        raise BadInput(str(folder), found, "mend what the lines name and run again")
    if report.refused:
        head, _, rest = report.refused.partition(": ")
        raise BadInput(head, rest, "pass --allow-role-changes if this is meant")


@app.command("compare", short_help="Show what changed between two releases.")
def compare_command(
    first: Annotated[str, typer.Argument(metavar="A", help="A build, an exported folder, or a Hub id[@REVISION].")],
    second: Annotated[str, typer.Argument(metavar="B", help="Likewise.")],
    as_json: Json = False,
) -> None:
    """Show two releases side by side: what was added, removed or changed from A to B."""
    from flows.commands.show_release import print_comparison
    from flows.publish.plan import compare
    from sources.hub.download import quiet_unless_terminal

    quiet_unless_terminal()
    with showing_progress("compare"):
        diff = compare(first, second)
    print_json(diff.model_dump(mode="json")) if as_json else print_comparison(diff, first, second)
