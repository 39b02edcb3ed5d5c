"""The command `judge`: a language model's second opinion of an evaluation's open answers."""

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.terminal import Json, app, print_json, showing_progress
from schemas.errors import BadInput


@app.command("judge", short_help="Have a language model judge the open answers.")
def judge_command(
    folder: Annotated[Path, typer.Argument(metavar="EVALUATION", help="Folder with an evaluation.json.")],
    model: Annotated[str, typer.Option("--judge", help="openai:<base-url>#<model>.")],
    max_tokens: Annotated[int, typer.Option(help="Budget in tokens, in and out; 0: none.")] = 0,
    max_cost: Annotated[float, typer.Option(help="Budget in the currency of the prices; 0: none.")] = 0.0,
    price_in: Annotated[float, typer.Option(help="Per million tokens.")] = 0.0,
    price_out: Annotated[float, typer.Option(help="Per million tokens.")] = 0.0,
    fall_back: Annotated[
        bool, typer.Option("--fall-back", help="Let the matching stand in for rulings that cannot be used.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask a language model which open answers are right, and say how far it agrees with the matching."""
    from flows.evaluation.judge import judge_evaluation
    from schemas.recipes.build_recipe import WorkersConfig

    if min(max_tokens, max_cost, price_in, price_out) < 0 or (max_cost and not (price_in or price_out)):
        raise BadInput("--max-cost", "cannot be kept to", "give prices and limits that are not negative")
    limits = WorkersConfig(
        max_tokens=max_tokens, max_cost=max_cost, price_in=price_in, price_out=price_out, fall_back=fall_back
    )
    with showing_progress("judge"):
        report, out = judge_evaluation(folder, model, workers=limits)
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    print(f"{'task':<12} {'modality':<8} {'role':<8} {'n':>6} {'matched':>8} {'judged':>8} {'agree':>7} {'kappa':>6}")
    for row in report.rows:
        kappa = "" if row.kappa is None else f"{row.kappa:.2f}"
        print(
            f"{row.task:<12} {row.modality:<8} {row.role or '':<8} {row.n:>6} {100 * row.matched:>7.1f}% "
            f"{100 * row.right:>7.1f}% {100 * row.agreement:>6.1f}% {kappa:>6}"
        )
    print(f"judge     {report.judge}: {report.tokens_in:,} tokens in, {report.tokens_out:,} out")
    print(f"details   {out}/judge.json and judgements.jsonl")
