"""Carrying out a run that computes what it leaves: statistics once, every value tried, the best kept, no training."""

import logging
import time
from collections.abc import Sequence

import torch

from schemas.dataset.samples import TrainingSample
from schemas.errors import BadInput
from schemas.records.interventions import Intervention
from unlearn.interventions.files import save_stack
from unlearn.interventions.parts import Part
from unlearn.interventions.stack import lay, lift
from unlearn.interventions.text_gates import fires_on
from unlearn.methods.makers.maker import Given, Made
from unlearn.methods.makers.table import MAKERS
from unlearn.rows.live import Live
from unlearn.runs.execute import begin_sweep
from unlearn.runs.prepare import Prepared
from unlearn.runs.record import RunRecord, write_record
from unlearn.training.callbacks import PROBE_BATCH, Probed, asked_of, frontier_score, probe
from unlearn.training.probes import Probe
from unlearn.weights.covariances import prompt_ends

log = logging.getLogger(__name__)

REFUSED_NLL = 100.0
"""Nats per token that a refused answer counts as in a probe, as if each of its tokens had that little left."""


def make_run(ready: Prepared, *, found: RunRecord | None) -> RunRecord:
    """Let the method's maker take its statistics, lay each candidate over the model, and keep the best by the frontier
    rule; of equals the first value. The model is afterwards as it was.
    """
    began = time.monotonic()
    if not ready.numbers.tried:
        raise BadInput("tried", "is empty", "give at least one value to try")
    asked, record = begin_sweep(ready, found=found)
    if record.outcome:
        return record
    start = record.start
    given = Given(ready.network, ready.encoder, ready.data, ready.numbers, ready.base, ready.seed, ready.out)
    candidates = MAKERS[ready.method.makes](given)
    made_s = time.monotonic() - began
    best: tuple[float, float, Made, Probe] | None = None
    sweep: dict[str, Probe] = {}
    for value in candidates.values:
        made = candidates.make(value)
        after = probe_under(ready, made, asked)
        score = frontier_score(after, start)
        log.info("%s %g: forget %.3f, retain %.3f", candidates.number, value, after.forget_exact, after.retain_exact)
        sweep[f"{value:g}"] = after
        if best is None or score > best[0]:
            best = (score, value, made, after)
    if best is None:
        raise BadInput(ready.method.name, "has no candidate", "give at least one value to try")
    save_stack(ready.out, [Part(*best[2])], base=ready.base)
    done = record.model_copy(
        update={
            "status": "finished",
            "reason": "finished",
            "seconds": round(time.monotonic() - began, 3),
            "best_score": best[0],
            "best": best[3],
            "last": list(sweep.values())[-1],
            "swept": candidates.number,
            "chosen": best[1],
            "made_s": round(made_s, 3),
            "bytes": sum(each.numel() * each.element_size() for each in best[2][1].values()),
            "sweep": sweep,
            "fires": dict(best[2][0].gate.fires) if best[2][0].gate else {},
            "samples_seen": dict(candidates.seen),
            "outcome": "interventions",
        }
    )
    write_record(ready.out, done)
    return done


def probe_under(ready: Prepared, made: Made, samples: Probed) -> Probe:
    """The probe with one intervention laid over the model; afterwards the model is as it was.

    A prompt that a guard refuses is answered wrongly, at REFUSED_NLL: it has no likelihood of its own.
    """
    laid = lay(ready.loaded, [Part(*made)], base=ready.base)
    live, guards = laid.model.live, laid.model.guards
    ready.network.live = live
    try:
        if live is None or not guards:
            return probe(ready.network, ready.encoder, samples)
        guard = guards[0]
        groups = (samples.forget, samples.retain, samples.choosing)
        part = Part(*made)
        if guard.oracle:
            fired = [{one.sample_id for one in each if each is samples.forget} for each in groups]
        elif guard.gate is not None and guard.gate.source == "text":
            fired = [fired_by_words(part, each) for each in groups]
        else:
            fired = [fired_by(ready, live, each) for each in groups]
        parts = list(zip(groups, fired, strict=True))
        if guard.form == "prompt":
            worded = [[_worded(guard, each) if each.sample_id in hit else each for each in some] for some, hit in parts]
            return probe(ready.network, ready.encoder, Probed(*worded))
        asked = Probed(*([each for each in some if each.sample_id not in hit] for some, hit in parts))
        return refused_too(probe(ready.network, ready.encoder, asked), asked, samples)
    finally:
        ready.network.live = None
        lift(laid)


def fired_by(ready: Prepared, live: Live, samples: Sequence[TrainingSample]) -> set[str]:
    """Ids of the samples whose prompts the first guard's gate knows."""
    found: set[str] = set()
    device = next(ready.network.parameters()).device
    for start in range(0, len(samples), PROBE_BATCH):
        some = samples[start : start + PROBE_BATCH]
        batch = ready.encoder.batch(some).to(device)
        with torch.no_grad():
            hits = live.fires(0, batch.inputs, prompt_ends(batch))
        found |= {each.sample_id for each, hit in zip(some, hits.tolist(), strict=True) if hit}
    return found


def fired_by_words(part: Part, samples: Sequence[TrainingSample]) -> set[str]:
    """Ids of the samples whose prompts a text gate knows."""
    hits = fires_on(part, [each.prompt for each in samples])
    return {each.sample_id for each, hit in zip(samples, hits, strict=True) if hit}


def refused_too(answered: Probe, asked: Probed, whole: Probed) -> Probe:
    """A probe of what was answered, as one of all: what was refused is not exact, and counts as REFUSED_NLL nats."""
    forget, retain, choosing = (
        len(some) / max(1, len(every))
        for some, every in (
            (asked.forget, whole.forget), (asked.retain, whole.retain), (asked.choosing, whole.choosing)
        )
    )  # fmt: skip
    subjects, old = asked_of(whole).subjects, asked_of(asked).subjects
    right = [
        tuple(dict(zip(old, counts, strict=True)).get(subject, 0) for subject in subjects)
        for counts in (answered.forget_right, answered.retain_right)
    ]
    return Probe(
        forget_exact=answered.forget_exact * forget,
        forget_nll=answered.forget_nll * forget + REFUSED_NLL * (1 - forget),
        retain_exact=answered.retain_exact * retain,
        retain_nll=answered.retain_nll * retain + REFUSED_NLL * (1 - retain),
        choosing_exact=(answered.choosing_exact or 0.0) * choosing if whole.choosing else None,
        repetition=answered.repetition,
        forget_right=right[0],
        retain_right=right[1],
    )


def _worded(guard: Intervention, sample: TrainingSample) -> TrainingSample:
    fact = {"subject": sample.subject, "answer": sample.value or sample.answer}
    words = [each.format(**fact) if guard.oracle else each for each in guard.texts]
    return sample.model_copy(update={"prompt": "\n".join([*words, sample.prompt])})
