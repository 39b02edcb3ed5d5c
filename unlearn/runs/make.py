"""Carrying out a run that computes what it leaves: statistics once, every value tried, the best kept, no training."""

import logging
import time

from schemas.errors import BadInput
from unlearn.interventions.stack import lay, lift, save_stack
from unlearn.methods.makers.maker import Given, Made
from unlearn.methods.makers.table import MAKERS
from unlearn.runs.execute import probed
from unlearn.runs.prepare import Prepared, check_same_run, start_record
from unlearn.runs.record import RunRecord, write_record
from unlearn.training.callbacks import asked_of, frontier_score, probe
from unlearn.training.probes import Probe

log = logging.getLogger(__name__)


def make_run(ready: Prepared, *, found: RunRecord | None) -> RunRecord:
    """Let the method's maker take its statistics, lay each candidate over the model, and keep the best by the frontier
    rule; of equals the first value. The model is afterwards as it was.
    """
    began = time.monotonic()
    if not ready.numbers.tried:
        raise BadInput("tried", "is empty", "give at least one value to try")
    forget, retain = probed(ready)
    start = probe(ready.network, ready.encoder, forget, retain)
    record = start_record(ready, start, asked_of(forget, retain), planned=0)
    check_same_run(ready.out, found, record)
    if found is not None and found.outcome:
        return found
    write_record(ready.out, record)
    given = Given(ready.network, ready.encoder, ready.data, ready.numbers, ready.base, ready.seed, ready.out)
    candidates = MAKERS[ready.method.makes](given)
    made_s = time.monotonic() - began
    best: tuple[float, float, Made, Probe] | None = None
    sweep: dict[str, Probe] = {}
    for value in candidates.values:
        made = candidates.make(value)
        laid = lay(ready.loaded, [made])
        try:
            after = probe(ready.network, ready.encoder, forget, retain)
        finally:
            lift(laid)
        score = frontier_score(after, start)
        log.info("%s %g: forget %.3f, retain %.3f", candidates.number, value, after.forget_exact, after.retain_exact)
        sweep[f"{value:g}"] = after
        if best is None or score > best[0]:
            best = (score, value, made, after)
    if best is None:
        raise BadInput(ready.method.name, "has no candidate", "give at least one value to try")
    save_stack(ready.out, [best[2]])
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
            "samples_seen": dict(candidates.seen),
            "outcome": "interventions",
        }
    )
    write_record(ready.out, done)
    return done
