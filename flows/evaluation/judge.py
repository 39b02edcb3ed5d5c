"""A judge's opinion of a finished evaluation, written beside it; the evaluation itself is not touched."""

import logging
from pathlib import Path

from eval.annotators.annotator import LanguageWorker
from eval.annotators.budget import Budget, Ledger
from eval.annotators.judge import JudgeReport, Ruling, agreement, judge, judge_effort, judge_requests
from eval.evaluation_folder import read_evaluation
from eval.responders.spec import open_servers, parse_spec
from schemas.errors import BadInput
from schemas.progress import report
from schemas.recipes.build_recipe import ServersConfig, WorkersConfig
from schemas.storage.artifacts import digest, write_atomically, write_json

log = logging.getLogger(__name__)

WHERE = "--judge"


def judge_evaluation(
    folder: Path,
    spec: str,
    *,
    workers: WorkersConfig | None = None,
    servers: ServersConfig | None = None,
    seed: int = 7,
) -> tuple[JudgeReport, Path]:
    """Have a language model judge every open answer of an evaluation; the same call again asks nothing.

    Writes judge.json and judgements.jsonl into `<folder>/judge-<digest>`, where the model's answers are kept too.
    Raises BadInput for a folder without a finished evaluation and for a server that cannot be used, and Unfinished
    when the budget is spent.
    """
    record, rows = read_evaluation(folder)
    parsed = parse_spec(spec)
    if parsed.kind != "openai":
        raise BadInput(f"{WHERE} {spec!r}", "is no language model behind a server", "write openai:<base-url>#<model>")
    config = workers or WorkersConfig()
    model = open_servers(parsed, servers or ServersConfig())
    out = folder / f"judge-{digest([model.identity, seed])[:8]}"
    budget = Budget(config.max_tokens, config.max_cost, config.price_in, config.price_out)
    with Ledger(out, budget) as ledger:
        worker = LanguageWorker(model, ledger, fall_back=config.fall_back, where=WHERE, progress=report)
        total = worker.estimate(judge_requests(rows), Ruling, effort=judge_effort(seed=seed))
        log.info(
            "judge: %d requests to %s (%d are answered already), about %d tokens in and at most %d out, at most %.4f",
            total.requests, worker.identity, total.kept, total.tokens_in, total.tokens_out, total.cost,
        )  # fmt: skip
        judged, answers = judge(rows, worker, seed=seed)
    found = JudgeReport(
        evaluation=record.identity,
        judge=worker.identity,
        seed=seed,
        tokens_in=sum(answer.tokens_in for answer in answers),
        tokens_out=sum(answer.tokens_out for answer in answers),
        unusable=sum(bool(answer.problem) for answer in answers),
        rows=tuple(agreement(judged)),
    )
    write_atomically(out / "judgements.jsonl", "".join(row.model_dump_json() + "\n" for row in judged))
    write_json(out / "judge.json", found.model_dump(mode="json"))
    return found, out
