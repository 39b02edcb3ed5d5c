"""General benchmarks of a real model, untouched or unlearned, by lmms-eval: an optional tool with its own data sets."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, cast

from flows.evaluation.model import Evaluated, load_evaluated
from schemas.errors import BadInput

NAMES = {"qwen3_vl": "qwen3_vl", "qwen2_5_vl": "qwen2_5_vl", "gemma3": "gemma3", "llava": "llava_hf"}
"""lmms-eval's adapters by model type; any other goes to the one that loads what transformers loads."""


class Evaluate(Protocol):
    """`lmms_eval.evaluator.simple_evaluate`, as far as it is used here."""

    def __call__(
        self, *, model: str, model_args: str, tasks: list[str], device: str, limit: int | None
    ) -> dict[str, dict[str, dict[str, object]]]: ...


def check_lmms_eval(evaluated: Evaluated) -> Evaluate:
    """The tool's entry; raises BadInput where it is not installed, and for a model whose weights are not at hand."""
    if not evaluated.local:
        raise BadInput("lmms-eval", f"{evaluated.name} is behind a server", "evaluate a folder or a Hub id with it")
    try:
        from lmms_eval.evaluator import simple_evaluate  # type: ignore[import-not-found]
    except ImportError as error:
        advice = "pip install lmms-eval (needs a network, and a GPU for real models)"
        raise BadInput("lmms-eval", "is not installed", advice) from error
    return cast(Evaluate, simple_evaluate)


def lmms_eval_scores(
    evaluated: Evaluated,
    *,
    tasks: Sequence[str],
    device: str = "cuda",
    limit: int | None = None,
    trust_remote_code: bool = False,
) -> dict[str, float]:
    """Scores by `<task>/<metric>` in the tool's own scale; `limit` is of questions a task (None: all).

    The tool's adapters take no PEFT folder, so what is laid over a model is merged into a checkpoint for it first.
    """
    evaluate = check_lmms_eval(evaluated)
    with checkpoint_of(evaluated, trust_remote_code=trust_remote_code) as place:
        if "," in place:
            raise BadInput(place, "has a comma, at which lmms-eval cuts its arguments", "rename the folder")
        found = evaluate(
            model=_name(place, trust_remote_code=trust_remote_code),
            model_args=f"pretrained={place}",
            tasks=list(tasks),
            device=device,
            limit=limit,
        )
    return {
        f"{task}/{metric}": float(value)
        for task, metrics in sorted(found["results"].items())
        for metric, value in sorted(metrics.items())
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


@contextmanager
def checkpoint_of(evaluated: Evaluated, *, trust_remote_code: bool = False) -> Iterator[str]:
    """A folder or Hub id that transformers loads as the evaluated model, all that is laid over it included.

    Of a run that left whole weights it is that folder; of an adapter or of pruned neurons a temporary copy, as large
    as the model (below TMPDIR).
    """
    from unlearn.runs.record import WEIGHTS

    if evaluated.overlay is None:
        yield evaluated.spec
        return
    if evaluated.run is not None and evaluated.run.outcome == "weights":
        yield str(evaluated.overlay / WEIGHTS)
        return
    from unlearn.models.adapters import save_plain

    loaded = load_evaluated(evaluated, device="cpu", trust_remote_code=trust_remote_code)
    with TemporaryDirectory(prefix="ppubench-") as folder:
        save_plain(loaded, Path(folder))
        yield folder


def _name(place: str, *, trust_remote_code: bool) -> str:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(place, trust_remote_code=trust_remote_code)
    return NAMES.get(config.model_type, "huggingface")
