"""eval.responders.prefix_cache: prompts that begin alike are answered and scored as if each had been asked alone."""

import pytest
import torch

from eval.responders.local import LocalModel, LocalResponder
from eval.responders.prefix_cache import FEWEST, alike, shared_length, sharing
from eval.responders.prompt_encoding import PromptEncoder
from flows.resources.responders import load_local
from schemas.protocols.responder import Ask, Decoding
from tests.worlds.tiny_models import BUILDERS, picture

GREEDY = Decoding(max_new_tokens=6)
TAILS = ("Where was Ada born?", "What is it?", "Who was Ada Lovelace, the mathematician?", "Yes or no?")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LocalModel]:
    home = tmp_path_factory.mktemp("models")
    return {name: load_local(str(build(home / name)), None) for name, build in BUILDERS.items()}


def asks() -> list[Ask]:
    """Seven questions about each of two pictures and seven without, of various lengths, under one first line."""
    return [
        Ask(
            ask_id=f"{shown}-{number}",
            text=f"Look and answer:\n{TAILS[number % 4]}" + " London" * number,
            image=picture(shown) if shown else None,
        )
        for shown in (0, 1, 2)
        for number in range(FEWEST + 1)
    ]


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_prompts_that_begin_alike_are_answered_as_alone(models: dict[str, LocalModel], family: str) -> None:
    local = models[family]
    together = {reply.ask_id: reply.text for reply in LocalResponder(local, batch=5).answer(asks(), GREEDY)}
    for ask in asks():
        (alone,) = LocalResponder(local, batch=1).answer([ask], GREEDY)
        assert together[ask.ask_id] == alone.text, ask.ask_id


@pytest.mark.parametrize("family", sorted(BUILDERS))
def test_continuations_of_prompts_that_begin_alike_score_as_alone(models: dict[str, LocalModel], family: str) -> None:
    local = models[family]
    pairs = [(ask, text) for ask in asks() for text in ("London", "in Vienna, a town")]
    together = list(LocalResponder(local, batch=5).log_likelihood(pairs))
    for (name, value), pair in zip(together, pairs, strict=True):
        ((_, alone),) = LocalResponder(local, batch=1).log_likelihood([pair])
        assert (name, value) == (pair[0].ask_id, pytest.approx(alone, abs=1e-4))


def test_a_picture_goes_through_the_tower_once_for_all_its_questions(models: dict[str, LocalModel]) -> None:
    local = models["qwen3_vl"]
    seen: list[int] = []
    tower = local.model.get_submodule("model.visual")
    watch = tower.register_forward_pre_hook(lambda _, inputs, options: seen.append(1), with_kwargs=True)
    list(LocalResponder(local, batch=64).answer(asks(), GREEDY))
    watch.remove()
    assert len(seen) == 2


def test_pictures_of_other_shapes_do_not_stand_in_one_batch(models: dict[str, LocalModel]) -> None:
    local = models["qwen3_vl"]
    mixed = [
        Ask(ask_id=f"{side}-{n}", text=f"Look:\n{TAILS[n % 4]}", image=picture(n // 9, side=side))
        for side in (32, 64)
        for n in range(FEWEST)
    ]
    together = {reply.ask_id: reply.text for reply in LocalResponder(local, batch=64).answer(mixed, GREEDY)}
    for ask in mixed:
        (alone,) = LocalResponder(local, batch=1).answer([ask], GREEDY)
        assert together[ask.ask_id] == alone.text


def test_sampled_prompts_share_nothing(models: dict[str, LocalModel], monkeypatch: pytest.MonkeyPatch) -> None:
    local, calls = models["llava"], []
    generate = local.model.generate

    def counted(**inputs: torch.Tensor) -> torch.Tensor:
        calls.append("past_key_values" in inputs)
        return generate(**inputs)

    monkeypatch.setattr(local.model, "generate", counted)
    list(LocalResponder(local, batch=64).answer(asks(), Decoding(temperature=1.0, max_new_tokens=2)))
    assert calls == [False, False]


def test_few_prompts_are_left_over() -> None:
    keys = ["a"] * FEWEST + ["b"] * (FEWEST - 1)
    assert alike(keys, range(len(keys))) == (
        [list(range(FEWEST))],
        list(range(FEWEST, 2 * FEWEST - 1)),
    )


def test_a_shared_beginning_leaves_every_prompt_what_it_needs(models: dict[str, LocalModel]) -> None:
    encoder = PromptEncoder(models["qwen3_vl"].processor)
    rows = [encoder.row(encoder.render("Who is Ada?" + " Yes" * n, shows=False), None) for n in range(2)]
    shared = shared_length(rows, apart=[1, 1])
    assert rows[0].ids[:shared] == rows[1].ids[:shared]
    assert rows[0].ids[: shared + 1] != rows[1].ids[: shared + 1]
    assert shared_length(rows, apart=[len(rows[0].ids) - 2, 1]) == 2


def test_a_picture_behind_the_shared_tokens_keeps_them_apart(models: dict[str, LocalModel]) -> None:
    encoder = PromptEncoder(models["qwen3_vl"].processor)
    rows = [encoder.row(encoder.render("Who?", shows=True), picture(1)) for _ in range(FEWEST)]
    assert sharing(rows, apart=[1] * FEWEST).length > 0
    assert sharing(rows, apart=[len(rows[0].ids) - 2] * FEWEST).length == 0
