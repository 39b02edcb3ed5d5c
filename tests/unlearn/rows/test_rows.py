"""unlearn.rows: samples that begin alike share their beginning, and nothing that is measured moves, in any family."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from schemas.dataset.samples import TrainingSample
from tests.worlds.tiny_families import tiny_family
from tests.worlds.tiny_models import picture, tiny_qwen
from unlearn.losses.likelihood import align
from unlearn.models.adapters import add_lora
from unlearn.models.encoding import Batch, Encoder
from unlearn.models.forward import AnswerModel, pictures_of
from unlearn.models.loading import LoadedModel, load_model
from unlearn.rows.layout import MOST_TOKENS, Packed, Picture, Piece, pack, pieces_of, rows_of
from unlearn.rows.pattern import FULL, SLIDING, Pattern

ASK = "Look at the picture and answer.\n"


def sample(number: int, prompt: str, answer: str, *, face: int | None = None, side: int = 64) -> TrainingSample:
    return TrainingSample(
        sample_id=f"{number:03d}",
        subject_id=f"{face or 0:03d}",
        modality="qa" if face is None else "vqa",
        prompt=ASK + prompt,
        answer=answer,
        image=None if face is None else picture(face, side=side),
    )


MIXED = [
    sample(0, "Who is this?", "Ada", face=1),
    sample(1, "Where was this person born?", "London in England", face=1),
    sample(2, "Where was Ada born?", "London"),
    sample(3, "What is her trade?", "a composer from Vienna", face=2),
    sample(4, "Who?", "Bo", face=1),
    sample(5, "When was Ada born?", "1815"),
    sample(6, "Who is this?", "Cleo of Alexandria", face=3),
    sample(7, "Where was this person born?", "London in England", face=1),
]
CASES = {
    "persons and text": MIXED,
    "one sample": MIXED[:1],
    "text alone": [MIXED[2], MIXED[5]],
    "one person": [each for each in MIXED if each.image == picture(1)],
    "the same sample twice": [MIXED[0], MIXED[0], MIXED[3]],
    "nothing in common": [
        TrainingSample(sample_id=str(n), subject_id="1", modality="qa", prompt=f"{word} it?", answer="Oslo")
        for n, word in enumerate(("Where was", "42", "Élan"))
    ],
    "one ends where another goes on": [sample(0, "Who", "Ada", face=1), sample(1, "Who is", "Ada", face=1)],
    "a picture of many tokens": [
        sample(0, "Who is this?", "Ada", face=1, side=448),
        sample(1, "Where was this person born?", "London in England", face=1, side=448),
        *MIXED[3:6],
    ],
    "sixty of one person": [sample(n, f"Who is number {n}?", f"Person {n}", face=1) for n in range(60)],
}


FAMILIES: dict[str, tuple[str, dict[str, int]]] = {
    "qwen3_vl": ("qwen3_vl", {}),
    "gemma3, a window shorter than a sample": ("gemma3", {"sliding_window": 16}),
    "gemma3, a window longer than a row": ("gemma3", {"sliding_window": 4096}),
    "llava": ("llava", {}),
    "internvl": ("internvl", {}),
    "idefics3": ("idefics3", {}),
}
MANY = ("persons and text", "text alone", "the same sample twice")
"""Cases that every family is tried on; all of them are tried on the first."""
TRIED = [(name, case) for name in FAMILIES for case in CASES if name == "qwen3_vl" or case in MANY]

Found = tuple[Tensor, dict[str, Tensor]]


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PPUBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], LoadedModel]:
    @cache
    def loaded(name: str) -> LoadedModel:
        kind, settings = FAMILIES[name]
        return load_model(tiny_family(kind, tmp_path_factory.mktemp("model"), **settings))

    return loaded


@pytest.fixture(scope="module")
def both(load: Callable[[str], LoadedModel]) -> Callable[[str, str], tuple[Found, Found]]:
    """NLL of each sample and the gradient of every weight, of the samples apart and in shared rows."""

    @cache
    def found(name: str, case: str) -> tuple[Found, Found]:
        loaded = load(name)
        loaded.model.requires_grad_(True)
        batch = Encoder(loaded.processor, loaded.family).batch(CASES[case])
        network = AnswerModel(loaded.model, loaded.family).train()
        return nll_and_gradient(network, batch, packed=False), nll_and_gradient(network, batch, packed=True)

    return found


def nll_and_gradient(network: AnswerModel, batch: Batch, *, packed: bool) -> Found:
    answers = align(*network(batch.inputs, batch.labels, batch.pictures if packed else None))
    sums, _ = answers.by_sample(answers.nll())
    network.zero_grad()
    (sums * torch.arange(1.0, len(batch) + 1)).sum().backward()
    return sums.detach(), {name: w.grad.clone() for name, w in network.named_parameters() if w.grad is not None}


def packed_of(loaded: LoadedModel, batch: Batch) -> Packed:
    starts = batch.labels.ne(-100).int().argmax(dim=1).tolist()
    assert loaded.family.pattern is not None

    def number(samples: list[int]) -> Tensor:
        return torch.arange(batch.labels.shape[1]).expand(3, len(samples), -1)

    return pack(batch.inputs, starts, batch.pictures, loaded.family.pattern, number)


@pytest.mark.parametrize(("name", "case"), TRIED)
def test_every_sample_has_the_likelihood_that_it_has_apart(
    both: Callable[[str, str], tuple[Found, Found]], name: str, case: str
) -> None:
    (apart, _), (packed, _) = both(name, case)
    torch.testing.assert_close(packed, apart, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "case"), TRIED)
def test_every_weight_has_the_gradient_that_it_has_apart(
    both: Callable[[str, str], tuple[Found, Found]], name: str, case: str
) -> None:
    (_, apart), (_, packed) = both(name, case)
    assert apart.keys() == packed.keys()
    whole = torch.stack([gradient.norm() for gradient in apart.values()]).norm()
    for weight, gradient in apart.items():
        assert (packed[weight] - gradient).norm() <= 1e-5 * gradient.norm() + 1e-7 * whole, weight


def test_a_picture_and_the_words_beside_it_are_computed_once(load: Callable[[str], LoadedModel]) -> None:
    loaded = load("qwen3_vl")
    batch = Encoder(loaded.processor, loaded.family).batch(CASES["one person"])
    packed = packed_of(loaded, batch)
    assert len(packed.shown) == 1
    assert packed.inputs["input_ids"].numel() < batch.inputs["input_ids"].numel()


def test_pictures_come_in_the_order_of_the_rows(load: Callable[[str], LoadedModel]) -> None:
    loaded = load("qwen3_vl")
    batch = Encoder(loaded.processor, loaded.family).batch(MIXED)
    packed = packed_of(loaded, batch)
    assert len(packed.shown) == 3
    tokens = (packed.inputs["mm_token_type_ids"] != 0).sum()
    assert tokens == 3 * (batch.inputs["mm_token_type_ids"][0] != 0).sum()


def test_the_rows_of_a_picture_are_found_whatever_their_number() -> None:
    shown = [Picture(b"p", (("grid", 1), ("pixels", 2))), None, Picture(b"q", (("grid", 1), ("pixels", 3)))]
    inputs = {"pixels": torch.arange(5.0), "grid": torch.tensor([7, 8])}
    found = pictures_of(inputs, shown, [2, 0])
    assert found["pixels"].tolist() == [2, 3, 4, 0, 1]
    assert found["grid"].tolist() == [8, 7]


def test_a_row_is_no_longer_than_it_may_be_unless_one_sample_is(load: Callable[[str], LoadedModel]) -> None:
    loaded = load("qwen3_vl")
    encoder = Encoder(loaded.processor, loaded.family)
    rows = packed_of(loaded, encoder.batch(CASES["sixty of one person"])).inputs["input_ids"]
    assert rows.shape[1] <= 2 * MOST_TOKENS
    ids = [[1, 2, *([3] * MOST_TOKENS), number] for number in range(2)]
    assert [piece.samples for piece in pieces_of(ids, [2, 2], [None] * 2, [0, 0], limit=MOST_TOKENS)] == [(0,), (1,)]


def test_one_long_picture_does_not_make_all_rows_as_long() -> None:
    pieces = [Piece((0,), 900, 1000), *(Piece((each,), 30, 60) for each in range(1, 5))]
    assert rows_of(pieces, limit=160) == [[0, 1, 2, 3, 4]]


def test_a_question_before_the_picture_leaves_its_sample_alone() -> None:
    """Two samples of one picture whose texts differ before it: each keeps its own copy."""
    shown = [Picture(b"p", ())] * 2
    found = pieces_of([[5, 9, 9, 7, 3], [6, 9, 9, 7, 4, 4]], [4, 4], shown, [3, 3], limit=160)
    assert [(piece.samples, piece.prefix) for piece in found] == [((0,), 5), ((1,), 6)]


def test_templates_with_and_without_system_text_share_nothing_before_their_pictures() -> None:
    shown = [Picture(b"p", ()), Picture(b"p", ()), None, None]
    ids = [[1, 9, 9, 5, 6], [1, 2, 2, 9, 9, 5, 6], [1, 5, 6], [1, 2, 2, 5, 6]]
    found = pieces_of(ids, [4, 6, 2, 4], shown, [3, 5, 0, 0], limit=160)
    assert [(piece.samples, piece.prefix) for piece in found] == [((0,), 5), ((1,), 7), ((2, 3), 1)]


def test_a_prefix_ends_before_the_first_answer_however_much_is_alike() -> None:
    found = pieces_of([[1, 2, 3, 4], [1, 2, 3, 4, 5]], [2, 4], [None, None], [0, 0], limit=160)
    assert [(piece.samples, piece.prefix) for piece in found] == [((0, 1), 2)]


def test_a_window_counts_the_tokens_of_the_sample_and_not_of_the_row() -> None:
    """Prefix of two, then two samples of two: the last token is the fourth of its sample, and sees the second."""
    pattern = Pattern(layers="layers", kinds=(FULL, SLIDING), window=3)
    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 5, 6]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    packed = pack(inputs, [3, 3], [None, None], pattern, lambda rows: torch.arange(4).expand(1, len(rows), 4))
    assert packed.masks[FULL][0, 0, 5].tolist() == [True, True, False, False, True, True]
    assert packed.masks[SLIDING][0, 0, 5].tolist() == [False, True, False, False, True, True]
    assert packed.positions[0, 0].tolist() == [0, 1, 2, 3, 2, 3]


def test_with_dropout_samples_stay_apart(tmp_path: Path) -> None:
    """What samples share would draw one mask where each has its own."""
    loaded = load_model(tiny_qwen(tmp_path / "qwen"))
    model = add_lora(loaded.model, loaded.family, rank=2, alpha=4, dropout=0.3, seed=1)
    network, encoder = AnswerModel(model, loaded.family).train(), Encoder(loaded.processor, loaded.family)
    batch = encoder.batch(MIXED)
    torch.manual_seed(5)
    apart, _ = network(batch.inputs, batch.labels)
    torch.manual_seed(5)
    packed, _ = network(batch.inputs, batch.labels, batch.pictures)
    assert torch.equal(apart, packed)
