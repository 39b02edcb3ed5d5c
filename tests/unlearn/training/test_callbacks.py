"""Probes and guards: what counts as exact, as repetition and as collapse."""

import pytest
import torch

from schemas.dataset.samples import TrainingSample
from unlearn.losses.likelihood import Answers, align
from unlearn.training.callbacks import CollapseGuard, Probed, Watch, asked_of, probe_keys, repeats
from unlearn.training.loop import Moment
from unlearn.training.probes import Probe

MOMENT = Moment(step=0, loss=0.0, terms={}, measured={}, network=torch.nn.Identity())


def answers(words: list[list[int]], labels: list[list[int]]) -> Answers:
    """Answers whose greedy words are `words`; labels have -100 where nothing is trained."""
    logits = torch.nn.functional.one_hot(torch.tensor(words), 10).float()
    return align(logits, torch.tensor(labels))


def probe_of(*, retain: float = 1.0, forget_nll: float = 0.0, repetition: float = 0.0) -> Probe:
    return Probe(forget_exact=1.0, forget_nll=forget_nll, retain_exact=retain, retain_nll=0.0, repetition=repetition)


def guard_at(
    found: Probe | None, *, retain: float = 0.5, repetition: float = 0.5, nll: float | None = 5.0
) -> str | None:
    watch = Watch.__new__(Watch)
    watch.start, watch.last = probe_of(), found
    return CollapseGuard(watch, forget_nll=nll, retain_share=retain, repetition=repetition)(MOMENT)


def test_an_answer_is_exact_only_if_every_greedy_word_is_right() -> None:
    found = answers([[3, 4, 0], [3, 5, 0]], [[-100, 3, 4], [-100, 3, 4]])
    assert found.exact().tolist() == [True, False]


def test_padding_does_not_count_against_an_answer() -> None:
    found = answers([[3, 9, 0], [3, 4, 0]], [[-100, 3, -100], [-100, 3, 4]])
    assert found.exact().tolist() == [True, True]
    assert found.token_counts().tolist() == [1.0, 2.0]


def test_the_same_word_over_and_over_is_repetition_unless_the_answer_does_so() -> None:
    stuck = answers([[7, 7, 7, 0]], [[-100, 1, 2, 3]])
    fine = answers([[1, 2, 3, 0]], [[-100, 1, 2, 3]])
    meant = answers([[7, 7, 7, 0]], [[-100, 7, 7, 7]])
    assert (repeats(stuck).item(), repeats(fine).item(), repeats(meant).item()) == (True, False, False)


def test_one_word_answers_cannot_repeat() -> None:
    assert not repeats(answers([[7, 0]], [[-100, 1]])).item()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (probe_of(retain=0.4), "collapse: retain exact match fell from 1.000 to 0.400"),
        (probe_of(repetition=0.6), "collapse: 60% of the retain answers repeat themselves"),
        (probe_of(forget_nll=6.0), "forgotten: forget NLL 6.00 is above 5.00 nats"),
    ],
)
def test_a_run_is_stopped_with_a_reason(found: Probe, said: str) -> None:
    assert guard_at(found) == said


def test_a_run_goes_on_within_its_limits_and_between_probes() -> None:
    assert guard_at(probe_of(retain=0.6, repetition=0.4, forget_nll=4.0)) is None
    assert guard_at(None) is None


def test_probe_keys_are_the_same_for_the_same_seed() -> None:
    from schemas.dataset.samples import TrainingSample

    samples = {
        f"k{number}": TrainingSample(sample_id=f"k{number}", subject_id="1", modality="qa", prompt="?", answer="!")
        for number in range(20)
    }
    first = probe_keys(samples, limit=5, seed=1)
    assert first == probe_keys(dict(reversed(samples.items())), limit=5, seed=1)
    assert sorted(first) != sorted(probe_keys(samples, limit=5, seed=2))


def test_probed_samples_are_counted_by_subject() -> None:
    forget, retain = ["b", "b", "a"], ["c", "b"]
    samples = [
        [
            TrainingSample(sample_id=str(n), subject_id=subject, modality="qa", prompt="?", answer="!")
            for n, subject in enumerate(own)
        ]
        for own in (forget, retain)
    ]
    asked = asked_of(Probed(samples[0], samples[1]))
    assert (asked.subjects, asked.forget, asked.retain) == (("a", "b", "c"), (1, 2, 0), (0, 1, 1))
