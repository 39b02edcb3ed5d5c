"""The command about other benchmarks, adopt, and what it prints."""

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.terminal import Json, app, print_json, showing_progress


@app.command("adopt", short_help="Read another benchmark, so that all commands take it.")
def adopt_command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A clone or folder of a benchmark, or its Hub id.")],
    out: Annotated[Path, typer.Option(help="New folder for the dataset.")],
    kind: Annotated[
        str | None,
        typer.Option(help="mllmu_bench, umu_bench, rwku or tofu; or FILE.py:NAME of a reader of your own."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read another benchmark (MLLMU-Bench, UMU-Bench, RWKU, TOFU), so that unlearn, evaluate and study take it."""
    from flows.adopting.adopt import adopt
    from sources.hub.download import quiet_unless_terminal

    quiet_unless_terminal()
    with showing_progress("adopt"):
        record = adopt(source, out, kind=kind)
    if as_json:
        print_json(record.model_dump(mode="json"))
        return
    print(f"{record.title} from {record.source}: {record.subjects:,} subjects, {record.samples:,} samples")
    for name, rows in record.rows.items():
        print(f"  {name:<40} {rows:>8,} rows")
    print("forget sets: " + ", ".join(f"{ratio} % ({count:,} subjects)" for ratio, count in record.forgotten.items()))
    for reason, count in record.left_out.items():
        print(f"left out: {count:,} x {reason}")
    if not record.licence:
        print("the source states no licence: read it, and do not publish it again")
    ratio = next(iter(record.forgotten))
    print(f"made {out}; next: ppubench unlearn {out} --method gd --setting complete --ratio {ratio}")
