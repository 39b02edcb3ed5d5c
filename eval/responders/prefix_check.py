"""Shared openings, tried: prompts about one picture are answered and scored together and each by itself."""

import io
from dataclasses import replace

from PIL import Image

from eval.responders.local import LocalModel, LocalResponder
from eval.responders.prefix_cache import FEWEST
from schemas.protocols.prompt_form import written_form
from schemas.protocols.responder import Ask, Decoding

VERSION = 1
"""Raised when the check asks something else."""
_GREEDY = Decoding(max_new_tokens=3)
_CLOSE = 0.01
"""Nats per token by which a likelihood may differ: rounding, also in bf16."""


def openings_agree(local: LocalModel) -> bool:
    """Whether this model answers and scores prompts that share their opening as it does each alone."""
    form = local.form or written_form(local.processor)
    sharing = replace(local, form=form.model_copy(update={"shares": True}))
    alone = replace(local, form=form.model_copy(update={"shares": False}))
    asks = [
        Ask(ask_id=f"{shown}{number}", text=f"Look and answer:\nWho is it?{' Really?' * number}", image=picture)
        for shown, picture in (("picture", _picture()), ("text", None))
        for number in range(FEWEST + 1)
    ]
    pairs = [(ask, "London") for ask in asks]
    singly = LocalResponder(alone, batch=1)
    try:
        together = {
            reply.ask_id: reply.text for reply in LocalResponder(sharing, batch=len(asks)).answer(asks, _GREEDY)
        }
        scored = list(LocalResponder(sharing, batch=len(asks)).log_likelihood(pairs))
    except (RuntimeError, IndexError, ValueError, TypeError, AttributeError):
        return False
    if any(together[reply.ask_id] != reply.text for reply in singly.answer(asks, _GREEDY)):
        return False
    by_itself = dict(singly.log_likelihood(pairs))
    return all(abs(value - by_itself[name]) < _CLOSE for name, value in scored)


def _picture() -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((64, 48)).save(buffer, "PNG")
    return buffer.getvalue()
