"""eval.responders.greedy: rows whose answer has ended are taken out, and every answer is the one that it is alone."""

import pytest
import torch

from eval.responders.greedy import STRETCH, decode_greedily
from eval.responders.local import LocalModel, LocalResponder
from eval.responders.prompt_encoding import PromptEncoder
from flows.resources.responders import load_local
from schemas.protocols.responder import Ask, Decoding
from tests.worlds.tiny_models import BUILDERS, picture

LONG = Decoding(max_new_tokens=4 * STRETCH)
TAILS = ("Where was Ada born?", "What is it?", "Who was Ada Lovelace, the mathematician?", "Yes or no?")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LocalModel]:
    home = tmp_path_factory.mktemp("models")
    return {name: load_local(str(build(home / name)), None) for name, build in BUILDERS.items()}


def asks() -> list[Ask]:
    """Seven questions about each of two pictures and seven without."""
    return [
        Ask(
            ask_id=f"{shown}-{number}", text=f"Look and answer:\n{TAILS[number % 4]}" + " London" * number,
            image=picture(shown) if shown else None,
        )
        for shown in (0, 1, 2)
        for number in range(7)
    ]  # fmt: skip


def rows_of_passes(local: LocalModel) -> list[int]:
    """How many rows each pass through the decoder's first layer has from now on."""
    seen: list[int] = []
    layers = next(part for part in local.model.get_decoder().modules() if isinstance(part, torch.nn.ModuleList))
    layers[0].register_forward_pre_hook(lambda _, args, named: seen.append(args[0].shape[0]), with_kwargs=True)
    return seen


def with_many_ends(local: LocalModel) -> None:
    """Let a third of the words end an answer: random models never say the one that should."""
    words = local.model.get_input_embeddings().weight.shape[0]
    local.model.generation_config.eos_token_id = list(range(0, words, 40))


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_answers_of_any_length_are_those_of_single_prompts(models: dict[str, LocalModel], family: str) -> None:
    local = models[family]
    with_many_ends(local)
    together = {reply.ask_id: reply.text for reply in LocalResponder(local, batch=21).answer(asks(), LONG)}
    singly = {ask.ask_id: next(iter(LocalResponder(local, batch=1).answer([ask], LONG))).text for ask in asks()}
    assert together == singly
    assert len({len(text) for text in together.values()}) > 1


def tokens_of(local: LocalModel, ask: Ask) -> list[int]:
    """What is said to an ask, ends or not."""
    encoder = PromptEncoder(local.processor, local.form)
    row = encoder.row(encoder.render(ask.text, shows=ask.image is not None), ask.image)
    found = decode_greedily(local.model, {**row.tokens, **row.pixels}, most=LONG.max_new_tokens, pad=0)
    return [int(token) for token in found[0]]


def test_rows_that_have_ended_are_taken_out(models: dict[str, LocalModel]) -> None:
    local, (short, long, *_) = models["qwen3_vl"], asks()
    local.model.generation_config.eos_token_id = []
    goes_on = set(tokens_of(local, long))
    ends = next(token for token in tokens_of(local, short)[:STRETCH] if token not in goes_on)
    local.model.generation_config.eos_token_id = [ends]
    seen = rows_of_passes(local)
    list(LocalResponder(local, batch=2).answer([short, long], LONG))
    assert seen == [2] * STRETCH + [1] * (LONG.max_new_tokens - STRETCH)


def test_an_answer_is_as_long_as_it_may_be_and_no_longer(models: dict[str, LocalModel]) -> None:
    local = models["llava"]
    responder = LocalResponder(local, batch=7)
    local.model.generation_config.eos_token_id = []  # a responder has added the token that ends a turn
    seen = rows_of_passes(local)
    list(responder.answer([asks()[0]], Decoding(max_new_tokens=STRETCH + 3)))
    assert len(seen) == STRETCH + 3
