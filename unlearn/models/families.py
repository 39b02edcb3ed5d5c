"""What a family of vision-language models is like, found out from each model and its processor; here: what to override.

Structure is read from the modules (unlearn/models/anatomy.py) and all else by a few small passes
(unlearn/models/settling.py).
"""

from pydantic import JsonValue

from schemas.protocols.prompt_form import PromptForm
from schemas.storage.tables import Record
from unlearn.rows.pattern import Pattern


class Family(Record):
    """One family. Module paths are relative to the model as it loads, without an adapter around it."""

    model_type: str
    language: str
    """Path of the language model: what owns the token embeddings, without the output layer."""
    head: str
    """Path of the output layer."""
    vision: tuple[str, ...] = ()
    """Paths of the vision tower and of what joins it to the language model."""
    placeholders: tuple[str, ...] = ()
    """Tokens that stand for a picture or frame it: never trained on."""
    form: PromptForm = PromptForm()
    pattern: Pattern | None = None
    """How it attends, where samples may share rows (unlearn/rows): the checks found them equal to samples apart."""
    pictures: bool = True
    """It takes pictures; a language model without eyes is asked and taught by text alone."""
    keeps_pictures: bool = False
    """What its vision tower makes of a picture can be kept and handed to it again (unlearn/rows/features.py)."""
    plain_head: bool = True
    """Logits are the output layer's weight times the last hidden state and nothing else."""
    narrow: bool = True
    """The output layer may be run at answer positions only, inside of the model's own forward pass."""
    mixed: bool = True
    """Rows with and without a picture may stand in one batch."""
    why_untrained: str = ""
    """Why `unlearn` refuses it, where its training is not a causal language model's; "" if it does not."""
    left_out: int = 0
    """Expert tensors of the language model that are no linear layers, so that LoRA does not reach them."""
    notes: tuple[str, ...] = ()
    """What the checks at load found, a sentence each."""


OVERRIDES: dict[str, dict[str, JsonValue]] = {}
"""By model type: fields that are given, where neither modules nor checks can tell."""
