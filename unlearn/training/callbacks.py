"""Probes of forget and retain during a run, the rule that names the best checkpoint, and reasons to stop early."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from schemas.dataset.samples import TrainingSample
from unlearn.losses.likelihood import Answers, align
from unlearn.models.encoding import Encoder, near
from unlearn.training.loop import Moment
from unlearn.training.probes import Asked, Probe

FRONTIER = "frontier"
"""Name of the number by which the best checkpoint is chosen."""
FORGET_GOAL = 2 / 3
"""Share of the forget set's exact answers that a run should at least take away; less counts against a checkpoint."""
FRONTIER_RULE = (
    "the probed step with the highest harmonic mean of forgotten share (1 - forget exact match / its start) "
    "and retained share (retain exact match / its start), scaled down in proportion where less than two thirds are "
    "forgotten; the earliest of equals"
)
PROBE_BATCH = 32


@dataclass(frozen=True)
class Probed:
    """The samples that the probes of one run look at."""

    forget: Sequence[TrainingSample]
    retain: Sequence[TrainingSample]
    choosing: Sequence[TrainingSample] = ()
    """Further retain samples that no step trains on, by which weights and numbers are chosen."""


def asked_of(samples: Probed) -> Asked:
    """The subjects behind the forget and retain samples, and how many of either each has."""
    forget, retain = samples.forget, samples.retain
    subjects = tuple(sorted({sample.subject_id for sample in (*forget, *retain)}))
    return Asked(
        subjects=subjects,
        forget=_tally(subjects, forget, [True] * len(forget)),
        retain=_tally(subjects, retain, [True] * len(retain)),
    )


def _tally(subjects: Sequence[str], samples: Sequence[TrainingSample], right: Sequence[bool]) -> tuple[int, ...]:
    """By subject, how many of its samples are right."""
    counts = dict.fromkeys(subjects, 0)
    for sample, exact in zip(samples, right, strict=True):
        counts[sample.subject_id] += exact
    return tuple(counts.values())


def frontier_score(probe: Probe, start: Probe) -> float:
    """How good a checkpoint is, 0-1: high only if much is forgotten and much retained. See FRONTIER_RULE."""
    forgotten = 1 - min(1.0, probe.forget_exact / max(start.forget_exact, 1e-9))
    retained = min(1.0, probe.kept / max(start.kept, 1e-9))
    if forgotten + retained == 0:
        return 0.0
    return min(1.0, forgotten / FORGET_GOAL) * 2 * forgotten * retained / (forgotten + retained)


def probe_keys(samples: Mapping[str, TrainingSample], *, limit: int, seed: int) -> list[str]:
    """At most `limit` sample keys, drawn once for the whole run; in batches of them samples of a picture meet."""
    keys = sorted(samples)
    if len(keys) > limit:
        keys = random.Random(f"{seed}:probe").sample(keys, limit)
    return sorted(keys, key=lambda key: (*near(samples[key]), key))


def probe(network: nn.Module, encoder: Encoder, samples: Probed) -> Probe:
    """Exact match and NLL on each set, dropout off, one forward pass a sample and nothing generated."""
    forget, retain = samples.forget, samples.retain
    forgotten, forget_nll, _ = _look(network, encoder, forget)
    retained, retain_nll, repetition = _look(network, encoder, retain)
    chosen, _, _ = _look(network, encoder, samples.choosing)
    subjects = asked_of(samples).subjects
    return Probe(
        forget_exact=sum(forgotten) / max(1, len(forgotten)),
        forget_nll=forget_nll,
        retain_exact=sum(retained) / max(1, len(retained)),
        retain_nll=retain_nll,
        choosing_exact=sum(chosen) / len(chosen) if chosen else None,
        repetition=repetition,
        forget_right=_tally(subjects, forget, forgotten),
        retain_right=_tally(subjects, retain, retained),
    )


def _look(network: nn.Module, encoder: Encoder, samples: Sequence[TrainingSample]) -> tuple[list[bool], float, float]:
    """Exact match of each sample, and the means of NLL and repetition."""
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    exact: list[bool] = []
    nll, repeated = 0.0, 0.0
    with torch.no_grad():
        for start in range(0, len(samples), PROBE_BATCH):
            batch = encoder.batch(samples[start : start + PROBE_BATCH]).to(device)
            answers = align(*network(batch.inputs, batch.labels, batch.pictures))
            exact += [bool(right) for right in answers.exact().tolist()]
            nll += float(answers.by_sample(answers.nll())[1].sum())
            repeated += float(repeats(answers).sum())
    network.train(training)
    total = max(1, len(samples))
    return exact, nll / total, repeated / total


def repeats(answers: Answers) -> Tensor:
    """[samples], bool: more than half of a sample's greedy words repeat the one before, wrongly."""
    words = answers.logits.argmax(1)[answers.kept]
    targets, rows = answers.targets[answers.kept], answers.rows[answers.kept]
    again = (words[1:] == words[:-1]) & (targets[1:] != targets[:-1]) & (rows[1:] == rows[:-1])
    count = torch.bincount(rows[1:][again], minlength=answers.samples)
    possible = torch.bincount(rows, minlength=answers.samples) - 1
    return (count * 2 > possible) & (possible > 0)


class Watch:
    """The probe of one run: a callback of the loop every so many steps, whose last finding the guards look at."""

    def __init__(
        self,
        encoder: Encoder,
        samples: Probed,
        *,
        start: Probe,
        every: int,
        steps: int,
    ) -> None:
        self._encoder, self._samples = encoder, samples
        self._every, self._steps = every, steps
        self.start = start
        self.last: Probe | None = None

    def __call__(self, moment: Moment) -> Mapping[str, float | tuple[int, ...]] | None:
        """Probe after every `every`-th step and after the last one."""
        done = moment.step + 1
        self.last = None
        if done != self._steps and (self._every == 0 or done % self._every):
            return None
        self.last = probe(moment.network, self._encoder, self._samples)
        found = {f"probe.{name}": value for name, value in self.last.model_dump(exclude_none=True).items()}
        return found | {FRONTIER: frontier_score(self.last, self.start)}


class CollapseGuard:
    """Looks at each probe of a Watch; place it after the Watch in the list of callbacks."""

    def __init__(self, watch: Watch, *, forget_nll: float | None, retain_share: float, repetition: float) -> None:
        self._watch = watch
        self._forget_nll, self._retain_share, self._repetition = forget_nll, retain_share, repetition

    def __call__(self, moment: Moment) -> str | None:
        """A reason to stop, or None."""
        found, start = self._watch.last, self._watch.start
        if found is None:
            return None
        if found.kept < self._retain_share * start.kept:
            return f"collapse: retain exact match fell from {start.kept:.3f} to {found.kept:.3f}"
        if found.repetition > max(self._repetition, start.repetition):
            return f"collapse: {found.repetition:.0%} of the retain answers repeat themselves"
        if self._forget_nll is not None and found.forget_nll > self._forget_nll:
            return f"forgotten: forget NLL {found.forget_nll:.2f} is above {self._forget_nll:.2f} nats"
        return None
