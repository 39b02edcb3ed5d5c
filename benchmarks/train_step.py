"""What one optimiser step costs: BAO against joint GD, logits where answers are, and the reference read from a cache.

    python -m benchmarks.train_step          # all cases, each in a process of its own, as Markdown

Times are CPU seconds of one thread, so that other work on the machine does not count; each is the least of its rounds.
Memory is the process's peak above what it held before the first step.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil
import torch
from torch import nn

from schemas.dataset.samples import TrainingSample
from sources.sandbox.file_bytes import jpeg_bytes
from sources.sandbox.tiny_model import make_tiny_model
from unlearn.losses.term import Measured, token_mean
from unlearn.methods.objective import objective_for
from unlearn.methods.reference_model import Reference, measure_reference
from unlearn.methods.table import METHODS
from unlearn.models.adapters import add_lora
from unlearn.models.encoding import Encoder
from unlearn.models.forward import AnswerModel, bare
from unlearn.models.loading import load_model
from unlearn.presets import Numbers
from unlearn.training.gradients import Moving, Objective, step_gradient

VOCABULARY = 152_000
FILLER = "Look at the picture and think about who is shown before you answer the question about this person. "
NUMBERS = Numbers(lr=1e-4, epochs=1, batch=12, retain_batch=12)
CASES = ("gd", "bao-gd", "kl", "npo-retain")
REFERENCES = ("cached", "second forward")


def samples(count: int, *, fillers: int, side: int = 64) -> list[TrainingSample]:
    """Half with a picture of `side` pixels, half without, six to a subject; `fillers` sentences lengthen the prompt."""
    from PIL import Image

    made = []
    for number in range(count):
        picture = Image.new("RGB", (side, side), ((37 * number) % 256, (91 * number) % 256, 128))
        made.append(
            TrainingSample(
                sample_id=f"{number:03d}",
                subject_id=f"{number // 6:03d}",
                modality="vqa" if number % 2 else "qa",
                prompt=FILLER * fillers + f"Where was person {number % 40} born?",
                answer=("Oslo", "Lima in Peru", "Kyoto, Japan", "the town of Graz")[number % 4],
                image=jpeg_bytes(picture, quality=90) if number % 2 else None,
            )
        )
    return made


def network_for(folder: Path, *, vocabulary: int | None, fillers: int) -> tuple[AnswerModel, Encoder]:
    """A tiny Qwen3-VL with a LoRA adapter; `vocabulary` widens its embeddings and output layer."""
    texts = [text for sample in samples(48, fillers=fillers) for text in (sample.prompt, sample.answer)]
    loaded = load_model(make_tiny_model(texts, folder, seed=1))
    if vocabulary is not None:
        torch.manual_seed(1)
        loaded.model.resize_token_embeddings(vocabulary, mean_resizing=False)
    model = add_lora(loaded.model, loaded.family, rank=16, alpha=32, dropout=0.0, seed=1)
    return AnswerModel(model, loaded.family).train(), Encoder(loaded.processor, loaded.family)


def groups(*, side: int = 64) -> dict[str, tuple[TrainingSample, ...]]:
    """A step: 12 forget samples, 12 retain samples of the same subjects, 12 others."""
    made = samples(48, fillers=0, side=side)
    return {"forget": tuple(made[0:24:2]), "matched": tuple(made[1:24:2]), "retain": tuple(made[24:36])}


def lengthened(rows: Mapping[str, Sequence[TrainingSample]], fillers: int) -> dict[str, tuple[TrainingSample, ...]]:
    """The same step with longer prompts."""
    return {
        name: tuple(row.model_copy(update={"prompt": FILLER * fillers + row.prompt}) for row in part)
        for name, part in rows.items()
    }


def seconds_each(steps: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """Least CPU seconds of each step, taken in turns so that a slow moment of the machine hits all alike."""
    for step in steps.values():
        step()
    best = dict.fromkeys(steps, float("inf"))
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.process_time()
            step()
            best[name] = min(best[name], time.process_time() - start)
    return best


def stepper(
    network: AnswerModel,
    encoder: Encoder,
    rows: Mapping[str, tuple[TrainingSample, ...]],
    objective: Objective,
    *,
    device: str = "cpu",
) -> Callable[[], float]:
    """One forward and backward pass of a step; returns the loss."""
    weights = {name: weight for name, weight in bare(network).named_parameters() if weight.requires_grad}

    def step() -> float:
        network.zero_grad()
        return step_gradient(Moving(network, weights, encoder, torch.device(device)), rows, objective).loss

    return step


def reference_for(network: AnswerModel, encoder: Encoder, rows: Sequence[TrainingSample], method: str) -> Reference:
    return measure_reference(
        network, encoder, {row.sample_id: row for row in rows}, keep_hidden="kl" in METHODS[method].terms
    )


def objective_of(
    method: str, network: AnswerModel, encoder: Encoder, rows: Mapping[str, Sequence[TrainingSample]]
) -> Objective:
    everything = [row for part in rows.values() for row in part]
    return objective_for(
        METHODS[method], NUMBERS, reference=reference_for(network, encoder, everything, method), keep=None
    )


def measure_methods(folder: Path) -> dict[str, float]:
    """CPU seconds of a step of each method at one composition of the step."""
    network, encoder = network_for(folder, vocabulary=None, fillers=1)
    rows = lengthened(groups(), 1)
    steps = {name: stepper(network, encoder, rows, objective_of(name, network, encoder, rows)) for name in CASES}
    return seconds_each(steps, rounds=12)


def measure_references(folder: Path) -> dict[str, float]:
    """CPU seconds of a KL and an NPO step, the reference cached or asked again by a second forward pass."""
    network, encoder = network_for(folder, vocabulary=None, fillers=1)
    rows = lengthened(groups(), 1)
    steps: dict[str, Callable[[], object]] = {}
    for name in ("kl", "npo-retain"):
        cached = objective_of(name, network, encoder, rows)
        compared = (*rows["retain"], *rows["matched"]) if name == "kl" else rows["forget"]

        def again(name: str = name, compared: Sequence[TrainingSample] = compared) -> float:
            fresh = reference_for(network, encoder, compared, name)
            return stepper(network, encoder, rows, objective_for(METHODS[name], NUMBERS, reference=fresh, keep=None))()

        steps[f"{name}, cached"] = stepper(network, encoder, rows, cached)
        steps[f"{name}, second forward"] = again
    return seconds_each(steps, rounds=8)


def measure_head(folder: Path, *, everywhere: bool) -> dict[str, float]:
    """A GD step with 152,000 words: logits at answer positions, or everywhere as the published loop computes them."""
    network, encoder = network_for(folder, vocabulary=VOCABULARY, fillers=3)
    rows = lengthened(groups(), 3)
    objective = head_objective(everywhere=everywhere)
    return _with_peak(stepper(network, encoder, rows, objective), samples=sum(map(len, rows.values())), rounds=3)


def head_objective(*, everywhere: bool) -> Objective:
    """GD with logits at answer positions, or everywhere."""
    if everywhere:
        return Objective(measure=_full, terms=lambda found, _: _difference(found))
    return objective_for(METHODS["gd"], NUMBERS, reference=None, keep=None)


def measure_peak(folder: Path, method: str) -> dict[str, float]:
    """Peak memory of a method's step with 152,000 words, its reference cached as in a run."""
    network, encoder = network_for(folder, vocabulary=VOCABULARY, fillers=3)
    rows = lengthened(groups(), 3)
    step = stepper(network, encoder, rows, objective_of(method, network, encoder, rows))
    return _with_peak(step, samples=sum(map(len, rows.values())), rounds=2)


def _full(network: nn.Module, batches: Mapping[str, object]) -> dict[str, torch.Tensor]:
    """The published way: the model's own loss, with logits at every position, one forward pass a batch."""
    from unlearn.models.encoding import Batch

    found = {}
    for name, batch in batches.items():
        if not isinstance(batch, Batch):
            raise TypeError(name)
        loss = bare(network)(**batch.inputs, labels=batch.labels, use_cache=False).loss
        tokens = batch.labels[:, 1:].ne(-100).sum(1).float()
        found[f"{name}.nll_sum"] = loss * tokens.sum() / len(batch) * torch.ones(len(batch), device=loss.device)
        found[f"{name}.tokens"] = tokens
    return found


def _difference(found: Measured) -> dict[str, torch.Tensor]:
    kept = [token_mean(found, name) for name in ("retain", "matched") if f"{name}.nll_sum" in found]
    return {"ascent": -token_mean(found, "forget"), "descent": torch.stack(kept).sum()}


def _with_peak(step: Callable[[], float], *, samples: int, rounds: int) -> dict[str, float]:
    """Samples a CPU second, peak memory above the start, and the loss."""
    process = psutil.Process()
    start, peak, running = process.memory_info().rss, 0, True

    def watch() -> None:
        nonlocal peak
        while running:
            peak = max(peak, process.memory_info().rss)
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    loss = step()
    running = False
    watcher.join()
    seconds = seconds_each({"step": step}, rounds=rounds)["step"]
    peak = max(peak, start)
    return {"samples_s": samples / seconds, "peak_mb": (peak - start) / 2**20, "loss": loss, "seconds": seconds}


def run_case(case: str) -> dict[str, float]:
    """One case in this process."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "model"
        if case == "methods":
            return measure_methods(folder)
        if case == "references":
            return measure_references(folder)
        if case.startswith("head "):
            return measure_head(folder, everywhere=case == "head everywhere")
        return measure_peak(folder, case.removeprefix("peak "))


def in_a_process(case: str) -> dict[str, float]:
    """The same in a process of its own, so that memory is the case's alone."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.train_step", "--case", case], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def report() -> None:
    """All cases as Markdown tables."""
    methods = in_a_process("methods")
    print("| step of 12 forget + 12 matched + 12 retain samples | CPU ms | against GD |\n|---|---|---|")
    for name, seconds in methods.items():
        print(f"| {name} | {1000 * seconds:.0f} | {seconds / methods['gd']:.3f} |")
    heads = {name: in_a_process(f"head {name}") for name in ("everywhere", "answers")}
    print(f"\n| logits ({VOCABULARY:,} words) | samples/s | peak MB | loss |\n|---|---|---|---|")
    for name, found in heads.items():
        print(f"| {name} | {found['samples_s']:.1f} | {found['peak_mb']:.0f} | {found['loss']:.6f} |")
    first, second = heads["everywhere"], heads["answers"]
    speed, memory = second["samples_s"] / first["samples_s"], second["peak_mb"] / first["peak_mb"]
    apart = abs(first["loss"] - second["loss"])
    print(f"\n{speed:.1f} x the samples/s, {memory:.2f} x the memory, losses differ by {apart:.1e}")
    print("\n| reference | cached, CPU ms | second forward, CPU ms | saved |\n|---|---|---|---|")
    references = in_a_process("references")
    for name in ("kl", "npo-retain"):
        cached, again = (references[f"{name}, {how}"] for how in REFERENCES)
        print(f"| {name} | {1000 * cached:.0f} | {1000 * again:.0f} | {1 - cached / again:.0%} |")
    print(f"\n| peak memory, {VOCABULARY:,} words | MB | against GD |\n|---|---|---|")
    peaks = {name: in_a_process(f"peak {name}")["peak_mb"] for name in ("gd", "kl", "npo-retain")}
    for name, peak in peaks.items():
        print(f"| {name} | {peak:.0f} | {peak / peaks['gd']:.2f} |")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--case")
    case = parser.parse_args().case
    if case is None:
        report()
    else:
        print(json.dumps(run_case(case)))


if __name__ == "__main__":
    main()
