"""What one optimiser step and one answer cost on a GPU, with models of published shapes (benchmarks/large_model.py).

    python -m benchmarks.train_step_gpu --size 2b --each 12
    python -m benchmarks.train_step_gpu --size 8b --each 4
    python -m benchmarks.train_step_gpu --size tiny --device cpu --each 2     # that it runs, without a GPU

Baselines in the same run: the GD step; logits at every position, as the published loop computes them; one plain
`generate` a prompt; and, of people with many questions each, samples apart and the published way against packed rows
(benchmarks/packed_rows.py). Times are the clock's, the device idle before and after, each the median of its rounds;
memory is the allocator's peak, weights included. Weights are random, so only costs are measured, not answers.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

import torch

from benchmarks.evaluate import rate, rate_alone
from benchmarks.large_model import PICTURE_SIDE, Size, make_large_model
from benchmarks.packed_rows import costs, person_step, print_costs
from benchmarks.train_step import CASES, groups, head_objective, lengthened, objective_of, samples, stepper
from eval.responders.local import LocalModel
from schemas.dataset.samples import TrainingSample
from schemas.protocols.responder import Ask
from unlearn.models.adapters import add_lora
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel
from unlearn.models.loading import LoadedModel, load_model

ROUNDS = 8
ASKS, ALONE = 128, 8


def step_rows(each: int) -> dict[str, tuple[TrainingSample, ...]]:
    """A step of `each` forget, matched and retain samples, half of them with a picture of 448 pixels."""
    return {name: rows[:each] for name, rows in lengthened(groups(side=PICTURE_SIDE), 1).items()}


def measured(step: Callable[[], object]) -> tuple[float, float]:
    """Median seconds of a step, and the peak GB that it takes."""
    gpu = torch.cuda.is_available()
    wait: Callable[[], None] = torch.cuda.synchronize if gpu else lambda: None
    step()
    wait()
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    seconds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        step()
        wait()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds), torch.cuda.max_memory_allocated() / 1e9 if gpu else float("nan")


def print_steps(found: Mapping[str, tuple[float, float]], *, rows: int, baseline: str) -> None:
    """One table; the baseline's row first."""
    print(f"| step of {rows} samples | ms | samples/s | times {baseline} | peak GB |\n|---|---|---|---|---|")
    for name, (seconds, peak) in found.items():
        times = seconds / found[baseline][0]
        print(f"| {name} | {1000 * seconds:.0f} | {rows / seconds:.1f} | {times:.3f} | {peak:.1f} |")
    print(flush=True)


def training(loaded: LoadedModel, rows: Mapping[str, tuple[TrainingSample, ...]]) -> None:
    """Steps of the methods, then the same GD step with logits everywhere."""
    model = add_lora(loaded.model, loaded.family, rank=16, alpha=32, dropout=0.0, seed=1)
    network, encoder = AnswerModel(model, loaded.family).train(), Encoder(loaded.processor, loaded.family)
    number = sum(map(len, rows.values()))
    found = {}
    for name in CASES:
        objective = objective_of(name, network, encoder, rows)
        found[name] = measured(stepper(network, encoder, rows, objective, device=loaded.model.device.type))
    print_steps(found, rows=number, baseline="gd")
    heads = {}
    for name, everywhere in (("logits everywhere", True), ("logits at answers", False)):
        try:
            objective = head_objective(everywhere=everywhere)
            heads[name] = measured(stepper(network, encoder, rows, objective, device=loaded.model.device.type))
        except torch.cuda.OutOfMemoryError:
            network.zero_grad()
            torch.cuda.empty_cache()
            print(f"{name}: out of memory\n")
    print_steps(heads, rows=number, baseline=next(iter(heads)))


def answering(loaded: LoadedModel) -> None:
    """Answers a second, one prompt a call and in batches; a random model answers as long as it may."""
    local = LocalModel(loaded.model, loaded.processor, "random")
    rows = random.Random(7).sample(samples(ASKS, fillers=1, side=PICTURE_SIDE), ASKS)
    asks = [Ask(ask_id=row.sample_id, text=row.prompt, image=row.image) for row in rows]
    rate_alone(local, asks[:4])
    rate(local, asks[:32], batch=32)
    alone, _ = rate_alone(local, asks[:ALONE])
    print(
        f"| what | answers a second | times as fast |\n|---|---|---|\n| one plain generate a prompt | {alone:.1f} | 1 |"
    )
    for batch in (16, 128):
        together, _ = rate(local, asks, batch=batch)
        print(f"| batches of {batch} | {together:.1f} | {together / alone:.1f} |", flush=True)


def main() -> None:
    """Make the model, load it as a run does, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=get_args(Size), default="2b")
    parser.add_argument("--each", type=int, default=12, help="forget, matched and retain samples a step, at most 12")
    parser.add_argument("--people", type=int, default=4, help="people of a packed step, with 24 questions each")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps-only", action="store_true", help="measure no answers")
    arguments = parser.parse_args()
    rows = step_rows(arguments.each)
    people = person_step(arguments.people, 12, side=PICTURE_SIDE)
    texts = [text for part in (*rows.values(), *people.values()) for row in part for text in (row.prompt, row.answer)]
    with tempfile.TemporaryDirectory() as home:
        began = time.perf_counter()
        folder = make_large_model(texts, Path(home) / "model", size=arguments.size, seed=1, device=arguments.device)
        made = time.perf_counter()
        loaded = load_model(folder, device=arguments.device)
        ready = time.perf_counter()
        weights = sum(weight.numel() for weight in loaded.model.parameters())
        seconds = f"made in {made - began:.0f} s, loaded in {ready - made:.0f} s"
        card = torch.cuda.get_device_name() if arguments.device != "cpu" else "CPU"
        name = f"{card}, torch {torch.__version__}"
        print(f"{name}, {weights / 1e9:.2f} B weights in {loaded.model.dtype}; {seconds}\n", flush=True)
        if not arguments.steps_only:
            answering(loaded)
            print()
        print_costs(costs(loaded, people), title=f"{arguments.people} people")
        training(load_model(folder, device=arguments.device), rows)


if __name__ == "__main__":
    main()
