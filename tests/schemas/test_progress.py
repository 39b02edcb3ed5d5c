"""Progress of long phases: what, how far, how long still, as one line every so often; told from anywhere."""

from queue import Queue
from threading import Thread

import pytest

from schemas.progress import Lines, counted, duration, report, reporting


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lines_of(clock: Clock) -> Lines:
    return Lines("build", lambda line: None, clock=clock)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (90, "1 min 30 s"), (599, "9 min 59 s"), (601, "10 min"),
     (3599, "59 min"), (3600, "1 h"), (7500, "2 h 5 min")],
)  # fmt: skip
def test_a_duration_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_line_says_what_how_far_and_how_long_still(clock: Clock) -> None:
    lines = lines_of(clock)
    lines("probe", 0, 1514)
    clock.now = 30
    lines("probe", 757, 1514)
    assert lines.line() == "probe: 757 of 1,514, 30 s so far, about 30 s to go"


def test_what_an_earlier_call_did_does_not_make_the_rest_look_quick(clock: Clock) -> None:
    lines = lines_of(clock)
    lines("training", 900, 1000)
    clock.now = 10
    lines("training", 910, 1000)
    assert lines.line() == "training: 910 of 1,000, 10 s so far, about 1 min 30 s to go"


def test_how_long_still_is_not_guessed_before_anything_is_done(clock: Clock) -> None:
    lines = lines_of(clock)
    lines("training", 0, 400)
    clock.now = 45
    assert lines.line() == "training: 0 of 400, 45 s so far"


def test_a_phase_that_is_over_gives_way_to_the_one_around_it(clock: Clock) -> None:
    lines = lines_of(clock)
    lines("runs", 1, 4)
    lines("training", 400, 400)
    assert lines.line() == "runs: 1 of 4, 0 s so far"


def test_the_phase_that_was_heard_of_last_is_the_one_that_is_said(clock: Clock) -> None:
    lines = lines_of(clock)
    lines("training", 1, 400)
    lines("runs", 1, 4)
    lines("training", 2, 400)
    assert lines.line().startswith("training: 2 of 400")


def test_a_command_that_counts_nothing_is_not_silent(clock: Clock) -> None:
    lines = lines_of(clock)
    clock.now = 61
    assert lines.line() == "build: at work, 1 min 1 s so far"


def test_lines_come_by_themselves_while_nothing_is_counted() -> None:
    said: Queue[str] = Queue()
    with Lines("build", said.put, every_s=0.01):
        first, second = said.get(timeout=60), said.get(timeout=60)
    assert first == second == "build: at work, 0 s so far"


def test_no_line_comes_after_the_end() -> None:
    said: Queue[str] = Queue()
    with Lines("build", said.put, every_s=0.01) as lines:
        said.get(timeout=60)
    assert not lines._thread.is_alive()


def test_another_thread_tells_the_reporter_of_the_process() -> None:
    told: list[tuple[str, int, int]] = []
    with reporting(lambda what, done, total: told.append((what, done, total))):
        thread = Thread(target=report, args=("training", 1, 2))
        thread.start()
        thread.join()
    assert told == [("training", 1, 2)]


def test_nobody_is_told_once_the_reporter_is_gone() -> None:
    told: list[str] = []
    with reporting(lambda what, done, total: told.append(what)):
        pass
    report("training", 1, 2)
    assert told == []


def test_counted_items_come_in_order_and_are_told_of() -> None:
    told: list[tuple[str, int, int]] = []
    with reporting(lambda what, done, total: told.append((what, done, total))):
        assert list(counted("saliency", "ab")) == ["a", "b"]
    assert told == [("saliency", 0, 2), ("saliency", 1, 2), ("saliency", 2, 2)]
