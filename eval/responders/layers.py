"""States of a model's layers at the last token of a prompt, and the logit lens: its output layer on inner states.

After "logit lens" and UnLOK-VQA's head projection: the final norm is applied once, to inner states alone, for a model's
last state has been through it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eval.responders.local import LocalResponder
from schemas.errors import BadInput
from schemas.protocols.responder import Ask

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Found = Callable[[], nn.Module | None]
"""Part of a model, as transformers gives it out."""

_NORMS = ("norm", "final_layernorm", "final_layer_norm", "ln_f", "norm_f")
"""What families call the norm behind the last layer."""
_CLOSE = 1e-3
"""How far, as a share of the largest logit, the lens on the last state may be from what the model says."""


def last_states(local: LocalResponder, asks: Sequence[Ask]) -> dict[str, NDArray[np.float32]]:
    """By ask_id [layers + 1, width]: layer 0 is the embedding, the last has been through the final norm."""
    found = {}
    for batch, states, _ in _passes(local, asks):
        for number, ask in enumerate(batch):
            found[ask.ask_id] = states[:, number].float().cpu().numpy()
    return found


def lens_scores(local: LocalResponder, asks: Sequence[tuple[Ask, Sequence[str]]]) -> dict[str, NDArray[np.float32]]:
    """By ask_id [layers + 1, texts]: the logit that each layer's last state gives the first token of each text.

    Raises BadInput for a model whose final norm or output layer is not found, or does not make its own answer.
    """
    texts = {ask.ask_id: own for ask, own in asks}
    norm, head = _final_norm(local.model), cast("Found", local.model.get_output_embeddings)()
    if norm is None or head is None:
        raise _unreadable(local)
    found = {}
    with torch.inference_mode():
        for batch, states, logits in _passes(local, [ask for ask, _ in asks]):
            seen = torch.cat([norm(states[:-1]), states[-1:]])  # [layers + 1, batch, width]
            for number, ask in enumerate(batch):
                tokens = [local.first_token(ask, text) for text in texts[ask.ask_id]]
                given = head(seen[:, number])[:, tokens].float()  # [layers + 1, texts]
                said = logits[number, tokens].float()
                if (given[-1] - said).abs().max() > _CLOSE * logits[number].abs().max():
                    raise _unreadable(local)
                found[ask.ask_id] = given.cpu().numpy()
    return found


def _passes(local: LocalResponder, asks: Sequence[Ask]) -> Iterator[tuple[list[Ask], Tensor, Tensor]]:
    """Asks, their states [layers + 1, batch, width] and logits [batch, vocab] at the last token of the prompt."""
    for batch, inputs in local.passes(asks):
        with torch.inference_mode():
            output = local.model(**inputs, output_hidden_states=True, logits_to_keep=1)
        states = output.hidden_states
        if states is None:
            raise BadInput(local.identity, "shows no states of its layers", "leave out the routes by layer")
        yield batch, torch.stack([layer[:, -1] for layer in states]), output.logits[:, -1]


def _final_norm(model: "PreTrainedModel") -> nn.Module | None:
    """The norm beside the layers of the language model."""
    decoder = cast("Found", model.get_decoder)()
    owners = [] if decoder is None else [decoder, *(each for each in decoder.modules() if hasattr(each, "layers"))]
    for owner in owners:
        for name in _NORMS:
            if isinstance(found := getattr(owner, name, None), nn.Module):
                return found
    return None


def _unreadable(local: LocalResponder) -> BadInput:
    found = "its output layer does not read its own states"
    return BadInput(local.identity, found, "leave out the routes by layer")
