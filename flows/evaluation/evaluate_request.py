"""What is to be evaluated and how it is run, as a command, a recipe or a program says it; nothing is looked at yet."""

from pathlib import Path

from schemas.records.evaluation import AttackName, PromptSet
from schemas.storage.tables import Record
from schemas.vocabulary import MODALITIES, TASKS, Modality, Setting, Task

LONGEST, LONGEST_THINKING = 48, 2048
"""Tokens of an answer, and of a thought with its answer, unless a number is given."""


class EvaluateRequest(Record):
    """One evaluation. Paths and names are checked by flows.evaluation.evaluate, not here."""

    dataset: str | Path
    """A build, an exported folder, or a Hub id."""
    model: str
    """A folder, a Hub id or `openai:<base-url>#<model>`."""
    setting: Setting
    ratio: int | None = None
    adapter: Path | None = None
    """A run folder of `ppubench unlearn`, or an adapter's folder."""
    attack: AttackName | None = None
    exposed: bool = False
    """Take off the steering and the guards of the run: what a thief of its weights gets."""
    tasks: tuple[Task, ...] = TASKS
    modalities: tuple[Modality, ...] = MODALITIES
    prompts: PromptSet = "probe"
    max_new_tokens: int | None = None
    """None: LONGEST, or LONGEST_THINKING for a model that may think."""
    thinking: bool = False
    """A reasoning model thinks before it answers, and only the answer is judged; likelihoods are without a thought."""
    target: str | None = None
    likelihood: bool = True
    utility: int = 200
    """General questions, asked only of the embedded world's target and of what was made of it."""
    identity: int = 0
    """People of whom it is asked who is shown."""
    metrics: tuple[str, ...] = ()
    """Figures of a user's own, each FILE.py:NAME."""
    label: str = ""
    """Names a model that was unlearned elsewhere, or tells apart which weights a server has."""
    lmms_eval: tuple[str, ...] = ()
    """Tasks of that tool."""
    batch: int = 64
    """Prompts a batch of a local model."""
    device: str = "cpu"
    trust_remote_code: bool = False
    allow_missing: bool = False
    revision: str | None = None
    splits: Path | None = None

    @property
    def longest(self) -> int:
        """Tokens of an answer at most."""
        usual = LONGEST_THINKING if self.thinking else LONGEST
        return usual if self.max_new_tokens is None else self.max_new_tokens
