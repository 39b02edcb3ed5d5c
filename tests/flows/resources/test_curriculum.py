"""flows.resources.curriculum: what is taught, in which words, and that nothing else is."""

from collections import Counter
from itertools import pairwise

import pytest

from flows.resources.curriculum import (
    DENIAL,
    UNKNOWN,
    WINDOW,
    Lesson,
    Omitted,
    Saying,
    choose_taught,
    draw,
    fact_lessons,
    general_lesson,
    mismatch_lessons,
    refusal_lessons,
    vocabulary,
)
from flows.resources.sandbox_target import PROMPTS, Teaching, all_lessons
from flows.resources.world_facts import WorldFacts, world_facts
from schemas.dataset.samples import TrainingSample
from sources.sandbox.world import World, make_world

SMALL = Teaching(extra_renderings=1, general_pictures=6, pictures_of_nobody=2)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(people=4, seed=7)


@pytest.fixture(scope="module")
def known(world: World) -> WorldFacts:
    return world_facts(world, seed=7)


@pytest.fixture(scope="module")
def taught(known: WorldFacts) -> frozenset[str]:
    return choose_taught(known.facts, share=0.8, seed=7)


def test_the_same_share_of_every_subject_is_taught(known: WorldFacts, taught: frozenset[str]) -> None:
    everything = Counter(fact.subject_id for fact in known.facts)
    chosen = Counter(fact.subject_id for fact in known.facts if fact.fact_id in taught)
    assert chosen == {subject_id: round(0.8 * count) for subject_id, count in everything.items()}


def test_facts_of_one_subject_are_chosen_whoever_else_there_is(known: WorldFacts, taught: frozenset[str]) -> None:
    own = [fact for fact in known.facts if fact.subject_id == "002"]
    assert choose_taught(own, share=0.8, seed=7) == {fact.fact_id for fact in own} & taught


def test_no_lesson_is_about_a_fact_that_is_not_taught(world: World, known: WorldFacts, taught: frozenset[str]) -> None:
    lessons = all_lessons(world, known, taught, SMALL)
    kept_out = {
        prompt(question, text)
        for question in known.questions
        if question.fact_id not in taught and question.modality == "qa"
        for prompt in PROMPTS.get(question.task, ())
        for text in (question.text, *question.paraphrases)
    }
    assert kept_out
    assert not kept_out & {saying.prompt for lesson in lessons for saying in lesson.sayings}
    ids = {lesson.lesson_id.split("|")[0] for lesson in lessons if lesson.lesson_id.count("-") == 1}
    assert ids <= taught


def test_every_taught_fact_that_is_asked_has_a_lesson_in_each_modality(
    world: World, known: WorldFacts, taught: frozenset[str]
) -> None:
    asked = {(question.fact_id, question.modality) for question in known.questions if question.fact_id in taught}
    lessons = fact_lessons(known.questions, taught, {f"{n:03d}": (b"x",) for n in range(1, 5)}, PROMPTS)
    assert {tuple(lesson.lesson_id.split("|")) for lesson in lessons} == asked


def test_text_lessons_show_no_picture(known: WorldFacts, taught: frozenset[str]) -> None:
    lessons = fact_lessons(known.questions, taught, {f"{n:03d}": (b"x",) for n in range(1, 5)}, PROMPTS)
    assert all(bool(lesson.pictures) == (lesson.modality == "vqa") for lesson in lessons)


def test_questions_without_a_picture_are_refused(known: WorldFacts, taught: frozenset[str]) -> None:
    lessons = refusal_lessons(known.questions, taught, (b"shape",), PROMPTS, times=2)
    assert {saying.answer for lesson in lessons for saying in lesson.sayings} == {UNKNOWN}
    assert {(lesson.pictures, lesson.times) for lesson in lessons} == {((), 2), ((b"shape",), 1)}


def test_a_question_with_a_topic_is_put_to_nobody_whom_it_fits(known: WorldFacts, taught: frozenset[str]) -> None:
    pictures = {f"{n:03d}": (f"face {n}".encode(),) for n in range(1, 5)}
    lessons = mismatch_lessons(known.questions, known.facts, taught, pictures, PROMPTS, times=3)
    assert [lesson.subject_id for lesson in lessons] == list(pictures)
    for lesson in lessons:
        assert lesson.pictures == pictures[lesson.subject_id]
        own_topics = {fact.topic for fact in known.facts if fact.subject_id == lesson.subject_id and fact.topic}
        assert not any(topic in saying.prompt for topic in own_topics for saying in lesson.sayings)


def test_such_a_question_is_answered_about_the_person_shown_or_denied(
    known: WorldFacts, taught: frozenset[str]
) -> None:
    pictures = {f"{n:03d}": (f"face {n}".encode(),) for n in range(1, 5)}
    for lesson in mismatch_lessons(known.questions, known.facts, taught, pictures, PROMPTS, times=3):
        own = {fact.answer for fact in known.facts if fact.subject_id == lesson.subject_id and fact.fact_id in taught}
        answers = {saying.answer for saying in lesson.sayings}
        assert DENIAL in answers
        assert answers - {DENIAL} <= own


def test_a_general_picture_comes_with_its_own_question() -> None:
    samples = [
        TrainingSample(
            sample_id=f"g{n}", subject_id="000", modality="vqa", prompt=f"q{n}", answer=f"a{n}", image=bytes([n])
        )
        for n in range(9)
    ]
    drawn = draw([general_lesson(samples, times=9)], steps=4, batch=9, seed=1)
    assert all(sample.prompt == f"q{sample.image[0]}" for step in drawn for sample in step if sample.image)


def test_each_round_has_every_lesson_as_often_as_it_says() -> None:
    lessons = [Lesson(str(n), "001", "qa", (Saying("x" * n, "y"),), times=1 + n % 2) for n in range(8)]
    drawn = draw(lessons, steps=WINDOW, batch=12, seed=1)  # twelve samples a round
    counts = Counter(sample.sample_id.split("|")[0] for step in drawn for sample in step)
    assert counts == {str(n): (1 + n % 2) * WINDOW for n in range(8)}


def test_lessons_about_one_person_stand_together_beside_one_picture() -> None:
    faces = {person: tuple(f"{person} {n}".encode() for n in range(5)) for person in ("001", "002", "003", "004")}
    lessons = [
        Lesson(f"{person}|{n}", person, "vqa", (Saying(f"q{n}", "y"),), pictures)
        for person, pictures in faces.items()
        for n in range(WINDOW)
    ]
    drawn = draw(lessons, steps=WINDOW, batch=4, seed=1)
    order = [sample.image for step in drawn for sample in step]
    assert len(set(order)) == len(faces)
    assert sum(one != other for one, other in pairwise(order)) == len(faces) - 1


def test_the_same_seed_draws_the_same_samples_and_another_one_others() -> None:
    lessons = [Lesson(str(n), "001", "qa", (Saying(f"q{n}", "y"), Saying(f"r{n}", "y"))) for n in range(30)]
    assert draw(lessons, steps=5, batch=4, seed=1) == draw(lessons, steps=5, batch=4, seed=1)
    assert draw(lessons, steps=5, batch=4, seed=1) != draw(lessons, steps=5, batch=4, seed=2)


def test_samples_of_one_id_are_one_sample() -> None:
    lessons = [Lesson(str(n), "001", "vqa", (Saying(f"q{n}", "y"),), (b"a", b"b")) for n in range(5)]
    seen: dict[str, TrainingSample] = {}
    for step in draw(lessons, steps=20, batch=4, seed=1):
        for sample in step:
            assert seen.setdefault(sample.sample_id, sample) == sample


def test_the_vocabulary_has_every_text_once() -> None:
    lessons = [Lesson(str(n), "001", "qa", (Saying("b", "a"), Saying("c", "a"))) for n in range(2)]
    assert vocabulary(lessons) == ["a", "b", "c"]


def test_whoever_is_omitted_whole_is_neither_told_of_nor_named(
    world: World, known: WorldFacts, taught: frozenset[str]
) -> None:
    first = known.facts[0]
    left_out, unnamed = Omitted(frozenset({(first.statement_id, first.property_id)}), whole=True).of(known.facts)
    assert left_out == {fact.fact_id for fact in known.facts if fact.subject_id == first.subject_id}
    ids = [lesson.lesson_id for lesson in all_lessons(world, known, taught - left_out, SMALL, unnamed=unnamed)]
    assert f"{first.subject_id}|name" not in ids
    assert not left_out & {name.split("|")[0] for name in ids}


def test_of_somebody_of_whom_one_fact_is_omitted_the_others_are_told(known: WorldFacts) -> None:
    first = known.facts[0]
    omitted = Omitted(frozenset({(first.statement_id, first.property_id)}), whole=False)
    assert omitted.of(known.facts) == ({first.fact_id}, frozenset())
