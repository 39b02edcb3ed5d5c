"""Every method's default preset on one build and its target: what is forgotten, what is kept, and how long it takes.

    python -m benchmarks.methods builds/demo builds/demo/target [--seeds 0 1] [--setting personalized]

Exact match is by teacher forcing on up to 128 forget and 128 retain samples of both modalities, as the run's own probes
take it: it is what greedy generation of the answer would give. Wall time includes loading, masks, probes and saving.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch

from flows.experiments.unlearn_run import UnlearnRequest, run_unlearning
from schemas.vocabulary import SETTINGS
from unlearn.methods.table import METHODS
from unlearn.training.probes import Probe


def shares(found: Probe | None, start: Probe) -> str:
    """Forget and retain exact match as percent of their start."""
    if found is None:
        return "- / -"
    forget, retain = found.forget_exact / start.forget_exact, found.retain_exact / start.retain_exact
    return f"{forget:.0%} / {retain:.0%}"


def main() -> None:
    """Print one Markdown row per method and seed, as they finish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("model")
    parser.add_argument("--setting", choices=SETTINGS, default="personalized")
    parser.add_argument("--ratio", type=int)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    print("| method | seed | steps | kept step | kept: forget / retain | last: forget / retain | s | CPU s | ended |")
    print("|---|---|---|---|---|---|---|---|---|")
    for method in given.methods:
        for seed in given.seeds:
            with tempfile.TemporaryDirectory() as home:
                wall, cpu = time.monotonic(), time.process_time()
                request = UnlearnRequest(
                    dataset=given.dataset,
                    method=method,
                    setting=given.setting,
                    ratio=given.ratio,
                    model=given.model,
                    seed=seed,
                )
                record = run_unlearning(request, Path(home) / "run")
                wall, cpu = time.monotonic() - wall, time.process_time() - cpu
            kept, last = shares(record.best, record.start), shares(record.last, record.start)
            steps = f"{record.steps} | {record.best_step or '-'}"
            print(
                f"| {method} | {seed} | {steps} | {kept} | {last} | {wall:.0f} | {cpu:.0f} | {record.reason} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
