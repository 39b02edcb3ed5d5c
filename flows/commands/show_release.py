"""What the command line prints about releases: faults, what was published, and two releases side by side."""

from collections import Counter

from rich import box
from rich.console import Console
from rich.table import Table

from flows.publish.plan import role_change_lines
from schemas.dataset.release import Changes, PublishedRepo, PublishReport, ReleaseDiff

SHOWN_FAULTS = 10
"""Lines of one rule; the rest are counted."""
SHOWN_NAMES = 6


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=160)


def print_published(report: PublishReport) -> None:
    """Faults, or what changed in each repo."""
    counts: Counter[str] = Counter()
    for fault in report.faults:
        counts[fault.rule] += 1
        if counts[fault.rule] <= SHOWN_FAULTS:
            print(fault.line())
    for rule, count in counts.items():
        if count > SHOWN_FAULTS:
            print(f"{rule}: and {count - SHOWN_FAULTS} more like it")
    for repo in report.repos:
        _print_repo(repo, dry_run=report.dry_run)


def _print_repo(repo: PublishedRepo, *, dry_run: bool) -> None:
    would = "would be " if dry_run and repo.status != "unchanged" else ""
    state = "holds this release already" if repo.status == "unchanged" else f"{would}published"
    print(f"{repo.repo}  v{repo.version}  {state}" + (f"  (commit {repo.revision[:12]})" if repo.revision else ""))
    if repo.status != "unchanged":
        files = f"{len(repo.added)} added, {len(repo.changed)} changed, {len(repo.removed)} removed"
        print(f"  files    {files}; {repo.bytes:,} bytes")
        for sign, names in (("+", repo.added), ("~", repo.changed), ("-", repo.removed)):
            for name in names[:SHOWN_NAMES]:
                print(f"           {sign} {name}")
            if len(names) > SHOWN_NAMES:
                print(f"           {sign} and {len(names) - SHOWN_NAMES} more")
    print(f"  rows     {repo.rows:,}" + (f", {repo.verified_rows:,} read back equal" if repo.verified_rows else ""))
    if repo.diff is not None:
        _print_changes("subjects", repo.diff.subjects)
        _print_changes("samples", repo.diff.samples)
        print(f"  roles    {len(repo.diff.roles)} changed")
        for line in role_change_lines(repo.diff):
            print(f"           {line}")
    if not dry_run:
        print(f"  load     datasets.load_dataset({repo.repo!r}, CONFIG, revision='v{repo.version}')")


def _print_changes(name: str, changes: Changes) -> None:
    words = f"{len(changes.added)} added, {len(changes.removed)} removed, {len(changes.changed)} changed"
    print(f"  {name:<8} {words}")


def print_comparison(diff: ReleaseDiff, first: str, second: str) -> None:
    """The two side by side, and by name what only one of them has."""
    console = _console()
    table = Table(box=box.SIMPLE, header_style="bold", pad_edge=False)
    table.add_column("")
    for name in (first, second, "difference"):
        table.add_column(name, justify="right")
    for name, (before, after) in diff.counts.items():
        table.add_row(name, f"{before:,}", f"{after:,}", f"{after - before:+,}" if after != before else "")
    console.print(table)
    for name, changes in (("subjects", diff.subjects), ("facts", diff.facts), ("samples", diff.samples)):
        for verb, names in (("added", changes.added), ("removed", changes.removed), ("changed", changes.changed)):
            if names:
                shown = ", ".join(names[:SHOWN_NAMES])
                more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
                console.print(f"{name} {verb}: {len(names)} ({shown}{more})", markup=False)
    by_setting = Counter(f"{row.setting}{f' {row.ratio} %' if row.ratio else ''}" for row in diff.roles)
    for setting, count in by_setting.items():
        console.print(f"roles changed in {setting}: {count}", markup=False)
    for line in role_change_lines(diff):
        console.print(f"  {line}", markup=False)
    for config, (before, after) in diff.rows.items():
        console.print(f"rows of {config}: {before:,} to {after:,}", markup=False)
    if diff.same:
        console.print("The two hold the same subjects, facts, samples and roles.")
