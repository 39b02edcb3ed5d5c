"""One evaluation: a model, or a run of unlearning, asked about a setting of a dataset, plain or under an attack."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from curation.answer_log import AnswerLog
from curation.prompts import probe_prompt
from eval.dataset import training_answers, training_target
from eval.metrics import Place, all_metrics, attack_effects
from eval.outcomes import values_of
from eval.prompts import eval_prompt
from eval.roles import read_roles
from eval.scoring import score
from eval.store import read_record, write_evaluation
from eval.tasks import AskedFact, EvalQuestion, Slice, questions_digest, read_facts, read_questions
from flows.evaluated import Evaluated, check_attack, identify, open_evaluated
from flows.evaluation_asks import Answers, Asking, Progress, ask_all
from flows.evaluation_extras import identity_questions, utility_questions
from flows.target import KEY_FILE
from flows.weight_attacks import VERSIONS, quantise, relearn, retain_samples
from schemas.artifacts import digest
from schemas.problems import BadInput
from schemas.responders import Decoding
from schemas.results import (
    ATTACK_NAMES,
    MODEL_ATTACKS,
    PROMPT_ATTACKS,
    VIEW_ATTACKS,
    AttackName,
    EvaluationRecord,
    Prediction,
    PromptSet,
)
from schemas.words import MODALITIES, TASKS, Modality, Setting, Task

if TYPE_CHECKING:
    from flows.evaluated import Overlay

log = logging.getLogger(__name__)

VERSION = 1
"""Raised when the same replies give other figures."""


@dataclass(frozen=True)
class Request:
    """What is evaluated, settled before anything is asked."""

    hub: Path
    evaluated: Evaluated
    cut: Slice
    attack: AttackName | None
    tasks: tuple[Task, ...]
    modalities: tuple[Modality, ...]
    prompts: PromptSet
    max_new_tokens: int
    target: str
    likelihood: bool
    facts: dict[str, AskedFact]
    questions: tuple[EvalQuestion, ...]
    notes: tuple[str, ...]

    @property
    def dataset(self) -> str:
        """Digest of what is asked."""
        return questions_digest(self.questions)

    def identity(self) -> str:
        """Digest of all that the figures follow from."""
        return digest(
            {
                "version": VERSION, "dataset": self.dataset, "model": self.evaluated.identity,
                "attack": [self.attack, VERSIONS.get(str(self.attack), 0)], "setting": self.cut.setting,
                "ratio": self.cut.ratio, "tasks": list(self.tasks), "modalities": list(self.modalities),
                "prompts": self.prompts, "max_new_tokens": self.max_new_tokens, "target": self.target,
                "likelihood": self.likelihood,
            }
        )  # fmt: skip

    def folder(self) -> str:
        """Relative to `out`. What is not the default stands in the name, so that nothing overwrites anything."""
        parts = [self.cut.setting, "" if self.cut.ratio is None else f"r{self.cut.ratio}", self.attack or ""]
        return f"{self.evaluated.folder}/{'_'.join(filter(None, parts))}-{self.identity()[:8]}"


def run_evaluation(
    *,
    dataset: Path,
    model: str,
    setting: Setting,
    out: Path,
    ratio: int | None = None,
    adapter: Path | None = None,
    attack: AttackName | None = None,
    tasks: Sequence[Task] = TASKS,
    modalities: Sequence[Modality] = MODALITIES,
    prompts: PromptSet = "probe",
    batch: int = 64,
    max_new_tokens: int = 48,
    target: str | None = None,
    likelihood: bool = True,
    utility: int = 200,
    identity: bool = False,
    device: str = "cpu",
    trust_remote_code: bool = False,
    allow_missing: bool = False,
    progress: Progress = lambda stage, done, total: None,
) -> EvaluationRecord:
    """Evaluate a model under `out` and return the record; the same call again returns it without asking.

    `model` is a folder, a Hub id or `openai:<base-url>#<model>`; `adapter` a run folder of `ppubench unlearn` or an
    adapter's folder. `utility` is the number of general questions, asked only of the embedded world's target and what
    was made of it; `identity` asks who is shown. Replies are kept as they come, for all evaluations of one model in one
    file. Raises BadInput before anything is asked for wrong use, or a dataset that lacks what is asked for.
    """
    from unlearn.data import dataset_folder

    hub = dataset_folder(dataset)
    cut = Slice(setting, ratio, read_roles(hub, setting, ratio))
    if attack is not None and attack not in ATTACK_NAMES:
        raise BadInput(f"attack {attack!r}", "is not an attack", f"choose one of {', '.join(ATTACK_NAMES)}")
    evaluated = identify(model, adapter, trust_remote_code=trust_remote_code)
    check_attack(evaluated, attack)
    asked = _request(
        Request(
            hub, evaluated, cut, attack, _tasks(tasks, attack), _modalities(modalities, attack), prompts,
            max_new_tokens, training_target(hub, target), likelihood, read_facts(hub), (), (),
        ),
        utility=utility,
        identity=identity,
        allow_missing=allow_missing,
    )  # fmt: skip
    if (found := _found(out, asked)) is not None:
        return found
    folder = out / evaluated.folder
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if (found := _found(out, asked)) is not None:
            return found
        opening = partial(open_evaluated, batch=batch, device=device, trust_remote_code=trust_remote_code)
        plain: list[Prediction] = []
        if attack is not None:
            plain = _answered(_plain(asked, allow_missing=allow_missing), folder, opening, batch=batch, progress=progress)
        rows = _answered(asked, folder, opening, batch=batch, progress=progress)
        record = _record(asked, rows, plain)
        write_evaluation(out / record.folder, record, rows)
    return record
