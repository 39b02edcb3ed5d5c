"""What packed rows save: a BAO step of people with many questions each, the published way, samples apart, and packed.

    python -m benchmarks.packed_rows                       # tiny target on one thread of a CPU
    python -m benchmarks.train_step_gpu --size 8b          # the same on a GPU, with models of published shapes

The published way computes logits at every position, one forward pass a group; apart is logits at answers, one pass, as
at 43ebe3d; packed has one prefix a picture, and the frozen tower's features kept. A step is forward, backward, clipping
and AdamW. On a CPU times are processor seconds, each the least of its rounds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch

from benchmarks.train_step import NUMBERS, head_objective, seconds_each
from schemas.dataset.samples import TrainingSample
from sources.sandbox.file_bytes import jpeg_bytes
from sources.sandbox.tiny_model import make_tiny_model
from unlearn.memory.step_memory import StepMemory
from unlearn.methods.objective import objective_for
from unlearn.methods.table import METHODS
from unlearn.models.adapters import add_lora
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel, bare
from unlearn.models.loading import LoadedModel, load_model
from unlearn.training.gradients import Moving, step_gradient

Way = Literal["published", "apart", "packed"]
WAYS: tuple[Way, ...] = ("published", "apart", "packed")
Groups = Mapping[str, tuple[TrainingSample, ...]]
ASK = "Look at the picture and answer the question about the person in it in a few words.\n"
ROUNDS = 8


@dataclass(frozen=True)
class Cost:
    """Of one step."""

    seconds: float
    samples: int
    tokens: int
    """Computed, padding among them."""
    peak_gb: float
    """Of the device's allocator, weights included; on a CPU the estimate that a run prints."""


def person_step(people: int, each: int, *, side: int) -> dict[str, tuple[TrainingSample, ...]]:
    """`each` forget and matched samples of so many people, who have a picture of `side` pixels each."""
    from PIL import Image

    found: dict[str, list[TrainingSample]] = {"forget": [], "matched": []}
    for person in range(people):
        colour = ((37 * person) % 256, (91 * person) % 256, 128)
        shown = jpeg_bytes(Image.new("RGB", (side, side), colour), quality=90)
        for number in range(2 * each):
            found["forget" if number < each else "matched"].append(
                TrainingSample(
                    sample_id=f"{person}-{number}",
                    subject_id=f"{person}",
                    modality="vqa",
                    prompt=f"{ASK}What is fact {number} of this person?",
                    answer=("Oslo", "Lima in Peru", "Kyoto, Japan", "the town of Graz")[number % 4],
                    image=shown,
                )
            )
    return {name: tuple(rows) for name, rows in found.items()}


def costs(loaded: LoadedModel, groups: Groups, *, ways: Sequence[Way] = WAYS, keeps: bool = True) -> dict[Way, Cost]:
    """Each way's step on one model with an adapter, taken in turns. A way that runs out of memory is left out."""
    device = loaded.model.device
    model = add_lora(loaded.model, loaded.family, rank=8, alpha=8, dropout=0.0, seed=1)
    encoder = Encoder(loaded.processor, loaded.family)
    alone = loaded.family.model_copy(update={"pattern": None})
    networks = {way: AnswerModel(model, loaded.family if way == "packed" else alone).train() for way in ways}
    rows = [row for part in groups.values() for row in part]
    kept = networks["packed"].keeping_pictures() if keeps and "packed" in networks else nullcontext()
    with kept:
        steps = {way: _stepper(networks[way], encoder, groups, way) for way in ways}
        timed = _on_cpu(steps) if device.type == "cpu" else _on_gpu(steps)
    found: dict[Way, Cost] = {}
    for way, (seconds, peak) in timed.items():
        tokens = networks[way].extent(encoder.batch(rows)).tokens
        if device.type == "cpu" and way != "published":
            memory = StepMemory(networks[way], encoder, rows)
            peak = memory.estimate([groups], together=False).total / 1e9
        found[way] = Cost(seconds, len(rows), tokens, peak)
    return found


def _stepper(network: AnswerModel, encoder: Encoder, groups: Groups, way: Way) -> Callable[[], object]:
    weights = {name: weight for name, weight in bare(network).named_parameters() if weight.requires_grad}
    adamw = torch.optim.AdamW(weights.values(), lr=1e-6, fused=True)
    plain = head_objective(everywhere=True)
    objective = plain if way == "published" else objective_for(METHODS["bao-gd"], NUMBERS, reference=None, keep=None)
    device = next(iter(weights.values())).device

    def step() -> None:
        adamw.zero_grad()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            step_gradient(Moving(network, weights, encoder, device), groups, objective)
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        adamw.step()

    return step


def _on_cpu(steps: Mapping[Way, Callable[[], object]]) -> dict[Way, tuple[float, float]]:
    named = cast("Mapping[str, Callable[[], object]]", steps)
    found = seconds_each(named, rounds=ROUNDS)
    return {way: (found[way], float("nan")) for way in steps}


def _on_gpu(steps: Mapping[Way, Callable[[], object]]) -> dict[Way, tuple[float, float]]:
    found: dict[Way, tuple[float, float]] = {}
    for way, step in steps.items():
        try:
            step()
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            seconds = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                step()
                torch.cuda.synchronize()
                seconds.append(time.perf_counter() - began)
            found[way] = statistics.median(seconds), torch.cuda.max_memory_allocated() / 1e9
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            print(f"{way}: out of memory")
    return found


def print_costs(found: Mapping[Way, Cost], *, title: str) -> None:
    """One table; the slowest way is 1."""
    samples = next(iter(found.values())).samples
    slowest = max(cost.seconds / cost.samples for cost in found.values())
    print(f"\n| {title}, {samples} samples a step | ms | samples/s | tokens/s | tokens | times as fast | peak GB |")
    print("|---|---|---|---|---|---|---|")
    for way, cost in found.items():
        rate = cost.samples / cost.seconds
        peak = "" if cost.peak_gb != cost.peak_gb else f"{cost.peak_gb:.3f}"
        print(
            f"| {way} | {1000 * cost.seconds:.0f} | {rate:.1f} | {cost.tokens / cost.seconds:,.0f} | {cost.tokens:,} "
            f"| {rate * slowest:.2f} | {peak} |",
            flush=True,
        )


def main() -> None:
    """The tiny target on one thread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--each", type=int, default=6, help="forget samples of a person in a step, and as many matched")
    parser.add_argument("--side", type=int, default=64, help="pixels of a picture's side")
    given = parser.parse_args()
    torch.set_num_threads(1)
    groups = person_step(given.people, given.each, side=given.side)
    texts = [text for part in groups.values() for row in part for text in (row.prompt, row.answer)]
    with tempfile.TemporaryDirectory() as home:
        loaded = load_model(make_tiny_model(texts, Path(home) / "model", seed=1))
        title = f"{given.people} people, pictures of {given.side} pixels"
        print_costs(costs(loaded, groups), title=title)


if __name__ == "__main__":
    main()
