"""Greedy answers of a model to samples' prompts, as it is or with its adapter off."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from schemas.dataset.samples import TrainingSample
from schemas.progress import counted
from unlearn.models.encoding import IGNORED, Encoder
from unlearn.models.forward import adapter_off, bare

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import ProcessorMixin

PER_TOKEN = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids")


def greedy_answers(
    network: nn.Module,
    encoder: Encoder,
    processor: "ProcessorMixin",
    samples: Sequence[TrainingSample],
    *,
    max_new_tokens: int,
) -> list[str]:
    """What the model before unlearning says to each prompt, stripped, without special tokens; one sample at a time."""
    from peft import PeftModel

    model = bare(network)
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    off = adapter_off(network) if isinstance(model, PeftModel) else nullcontext()
    said: list[str] = []
    try:
        with off, torch.no_grad():
            for sample in counted("old model's answers", samples):
                inputs = _prompt(encoder, sample)
                placed = {name: tensor.to(device) for name, tensor in inputs.items()}
                generate = cast("Callable[..., Tensor]", model.generate)
                output = generate(**placed, do_sample=False, max_new_tokens=max_new_tokens)
                new = output[0, inputs["input_ids"].shape[1] :]
                said.append(processor.tokenizer.decode(new, skip_special_tokens=True).strip())
    finally:
        model.train(training)
    return said


def _prompt(encoder: Encoder, sample: TrainingSample) -> dict[str, Tensor]:
    """The model's inputs up to where a sample's answer begins."""
    encoded = encoder.encode(sample)
    start = int(encoded.labels.ne(IGNORED).int().argmax())
    return {name: tensor[:, :start] if name in PER_TOKEN else tensor for name, tensor in encoded.inputs.items()}
