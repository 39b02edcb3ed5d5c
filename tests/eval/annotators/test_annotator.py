"""eval.annotators.annotator and eval.annotators.budget: forms from a real server, repaired once, kept on disk,
within a budget.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eval.annotators.annotator import LanguageWorker, with_shape
from eval.annotators.budget import Budget, Ledger, tokens_of
from eval.responders.remote import RemoteResponder
from schemas.errors import BadInput, Unfinished
from schemas.protocols.annotator import Effort, Filled, Form, Request
from tests.servers.chat_server import Body, ChatServer, Handled, answer, refuse, serving, text_of

EFFORT = Effort(temperature=0.7, max_new_tokens=50, seed=3)


class Town(Form):
    """Where somebody is from."""

    town: str


def says(town: str, **more: object) -> Handled:
    return answer(json.dumps({"town": town, **more}), model="m-2026")


def requests(count: int) -> list[Request]:
    return [Request(request_id=f"r{number}", prompt=f"Where is person {number} from?") for number in range(count)]


def no_objection(name: str, form: Town) -> str:
    return ""


@contextmanager
def working(
    folder: Path,
    server: ChatServer,
    *,
    fall_back: bool = False,
    budget: Budget | None = None,
    retries: int = 0,
    concurrency: int = 4,
) -> Iterator[LanguageWorker]:
    with serving(server) as url, Ledger(folder, budget or Budget()) as ledger:
        model = RemoteResponder([url], "m", concurrency=concurrency, retries=retries)
        yield LanguageWorker(model, ledger, fall_back=fall_back, where="[attack] author")


def fill(
    worker: LanguageWorker, count: int, check: Callable[[str, Town], str] = no_objection, effort: Effort = EFFORT
) -> dict[str, Filled[Town]]:
    return {one.request_id: one for one in worker.fill(requests(count), Town, check=check, effort=effort)}


def test_a_form_is_filled_and_its_model_seed_and_tokens_are_recorded(tmp_path: Path) -> None:
    with working(tmp_path, ChatServer(lambda body, number: says("Arnvik"))) as worker:
        one = fill(worker, 1)["r0"]
    assert one.form == Town(town="Arnvik")
    assert (one.answer.model, one.answer.seed, one.answer.tries) == ("m-2026", 3, 1)
    assert (one.answer.tokens_in, one.answer.tokens_out, one.answer.problem) == (10, 5, "")


def test_the_server_is_held_to_the_schema_and_the_prompt_tells_it_too(tmp_path: Path) -> None:
    server = ChatServer(lambda body, number: says("Arnvik"))
    with working(tmp_path, server) as worker:
        fill(worker, 1)
    (body,) = server.requests
    form = {"name": "answer", "strict": True, "schema": Town.model_json_schema()}
    assert body["response_format"] == {"type": "json_schema", "json_schema": form}
    assert text_of(body) == with_shape("Where is person 0 from?", Town.model_json_schema())
    assert (body["seed"], body["temperature"], body["max_tokens"]) == (3, 0.7, 50)


def test_a_server_that_takes_no_schemas_is_asked_without(tmp_path: Path) -> None:
    def check(body: Body) -> Handled:
        return refuse(400, "response_format is not supported") if "response_format" in body else answer("yes")

    server = ChatServer(lambda body, number: says("Arnvik"), check=check)
    with working(tmp_path, server) as worker:
        assert fill(worker, 1)["r0"].form == Town(town="Arnvik")
    assert "response_format" not in server.requests[0]


@pytest.mark.parametrize(
    "text",
    ['```json\n{"town": "Arnvik"}\n```', 'Sure! {"town": "Arnvik"} I hope this helps.', ' {"town":\n"Arnvik"}'],
)
def test_an_answer_with_words_around_it_is_read(tmp_path: Path, text: str) -> None:
    with working(tmp_path, ChatServer(lambda body, number: answer(text))) as worker:
        assert fill(worker, 1)["r0"].form == Town(town="Arnvik")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("I cannot say.", "holds no JSON object"),
        ('{"town": "Arn', "holds no JSON object"),
        ('{"place": "Arnvik"}', "does not fit the schema (town: Field required)"),
        ('{"town": 5}', "does not fit the schema (town: Input should be a valid string)"),
        ('{"town": "Arnvik", "sure": true}', "does not fit the schema (sure: Extra inputs are not permitted)"),
        ('{"town": "Arnvik",}', "does not fit the schema (Invalid JSON"),
    ],
)
def test_a_wrong_answer_is_shown_to_the_model_once_with_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    server = ChatServer(lambda body, number: answer(text) if number == 1 else says("Arnvik"))
    with working(tmp_path, server) as worker:
        one = fill(worker, 1)["r0"]
    assert one.form == Town(town="Arnvik")
    assert (one.answer.tries, one.answer.tokens_in, one.answer.tokens_out) == (2, 20, 10)
    assert text in text_of(server.requests[1])
    assert f"cannot be used, because it {told}" in text_of(server.requests[1])


def test_a_form_of_the_right_shape_may_be_objected_to(tmp_path: Path) -> None:
    server = ChatServer(lambda body, number: says("Oslo" if number == 1 else "Arnvik"))
    with working(tmp_path, server) as worker:
        one = fill(worker, 1, lambda name, form: "names another country" if form.town == "Oslo" else "")["r0"]
    assert one.form == Town(town="Arnvik")
    assert "because it names another country" in text_of(server.requests[1])


def test_answers_that_stay_wrong_are_bad_input_that_shows_one_of_them(tmp_path: Path) -> None:
    def handle(body: Body, number: int) -> Handled:
        return answer("I refuse") if "person 1 " in text_of(body) else says("Arnvik")

    with working(tmp_path, ChatServer(handle)) as worker, pytest.raises(BadInput) as caught:
        fill(worker, 5)
    assert "[attack] author openai:127.0.0.1#m: answered 1 of 5 requests unusably, asked twice" in str(caught.value)
    assert "r1 holds no JSON object: 'I refuse'" in str(caught.value)
    assert "fall_back = true" in caught.value.advice


def test_a_model_that_never_fits_is_given_up_after_a_few_requests(tmp_path: Path) -> None:
    server = ChatServer(lambda body, number: answer("I refuse"))
    with working(tmp_path, server) as worker, pytest.raises(BadInput, match="answered 10 of 10 requests unusably"):
        fill(worker, 1000)
    assert len(server.requests) < 60


def test_the_built_in_stands_in_only_where_the_recipe_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with working(tmp_path, ChatServer(lambda body, number: answer("I refuse")), fall_back=True) as worker:
        found = fill(worker, 15)
    assert {one.form for one in found.values()} == {None}
    assert found["r0"].answer.problem == "holds no JSON object"
    assert "15 of 15 answers could not be used; the built-in stands in" in caplog.text


def test_a_rerun_asks_nothing_and_gives_the_same(tmp_path: Path) -> None:
    def handle(body: Body, number: int) -> Handled:
        return answer("hm") if "person 1 " in text_of(body) and "You have answered" not in text_of(body) else says("A")

    with working(tmp_path, ChatServer(handle)) as worker:
        first = fill(worker, 6)
    silent = ChatServer(lambda body, number: refuse(500, "nobody should ask"))
    with working(tmp_path, silent) as worker:
        assert fill(worker, 6) == first
    assert silent.requests == silent.checks == []
    assert first["r1"].answer.tries == 2


def test_another_seed_prompt_or_schema_is_asked_anew(tmp_path: Path) -> None:
    class Place(Form):
        town: str
        region: str

    server = ChatServer(lambda body, number: says("Arnvik"))
    with working(tmp_path, server, fall_back=True) as worker:
        fill(worker, 1)
        fill(worker, 1, effort=EFFORT.model_copy(update={"seed": 4}))
        assert len(server.requests) == 2
        list(worker.fill(requests(1), Place, check=lambda name, form: "", effort=EFFORT))
        assert len(server.requests) > 2


def test_equal_prompts_are_asked_once_and_serve_all(tmp_path: Path) -> None:
    server = ChatServer(lambda body, number: says("Arnvik"))
    same = [Request(request_id=f"r{number}", prompt="Where is this person from?") for number in range(40)]
    with working(tmp_path, server, concurrency=2) as worker:
        found = list(worker.fill(same, Town, check=no_objection, effort=EFFORT))
        estimate = worker.estimate(same, Town, effort=EFFORT)
    assert len(server.requests) == 1
    assert sorted(one.request_id for one in found) == sorted(request.request_id for request in same)
    assert (estimate.requests, estimate.kept) == (0, 40)


def test_what_was_answered_before_a_failure_is_kept(tmp_path: Path) -> None:
    server = ChatServer(lambda body, number: says("A") if number <= 30 else refuse(400, "no more"))
    with working(tmp_path, server) as worker, pytest.raises(Unfinished, match="the last 20 requests all failed"):
        fill(worker, 200)
    again = ChatServer(lambda body, number: says("A"))
    with working(tmp_path, again) as worker:
        assert len(fill(worker, 200)) == 200
    assert len(again.requests) == 170


def test_a_single_request_that_fails_leaves_the_work_unfinished_and_is_no_bad_answer(tmp_path: Path) -> None:
    def handle(body: Body, number: int) -> Handled:
        return refuse(400, "too long") if "person 2 " in text_of(body) else says("A")

    with (
        working(tmp_path, ChatServer(handle), fall_back=True) as worker,
        pytest.raises(Unfinished, match="not every request was answered .last: HTTP 400: too long"),
    ):
        fill(worker, 5)


def test_an_estimate_counts_what_is_not_kept_at_the_prices_of_the_recipe(tmp_path: Path) -> None:
    budget = Budget(price_in=2.0, price_out=10.0)
    with working(tmp_path, ChatServer(lambda body, number: says("A")), budget=budget) as worker:
        fill(worker, 2)
        found = worker.estimate(requests(5), Town, effort=EFFORT)
    tokens_in = 3 * tokens_of(with_shape("Where is person 4 from?", Town.model_json_schema()))
    assert (found.requests, found.kept, found.tokens_in, found.tokens_out) == (3, 2, tokens_in, 150)
    assert found.cost == pytest.approx((2 * tokens_in + 10 * 150) / 1e6)


def test_a_budget_in_tokens_ends_the_work_before_it_is_exceeded(tmp_path: Path) -> None:
    server = ChatServer(lambda body, number: says("A"))
    with (
        working(tmp_path, server, budget=Budget(max_tokens=1000)) as worker,
        pytest.raises(Unfinished, match="the budget of 1,000 tokens is spent .* raise max_tokens"),
    ):
        fill(worker, 500)
    with Ledger(tmp_path, Budget()) as ledger:
        assert 0 < ledger.tokens_in + ledger.tokens_out <= 1000
        assert ledger.tokens_in == 10 * len(server.requests)


def test_a_budget_in_money_ends_the_work_and_a_raised_one_goes_on(tmp_path: Path) -> None:
    server = ChatServer(lambda body, number: says("A"))
    tight, wide = (Budget(max_cost=cost, price_in=1.0, price_out=2.0) for cost in (0.001, 1.0))
    with working(tmp_path, server, budget=tight) as worker, pytest.raises(Unfinished, match="budget of 0.001 is spent"):
        fill(worker, 100)
    asked = len(server.requests)
    with working(tmp_path, server, budget=wide) as worker:
        assert len(fill(worker, 100)) == 100
    assert len(server.requests) == 100
    assert 0 < asked < 100


def test_what_earlier_runs_spent_counts(tmp_path: Path) -> None:
    with working(tmp_path, ChatServer(lambda body, number: says("A"))) as worker:
        fill(worker, 10)
    with Ledger(tmp_path, Budget(price_in=1.0, price_out=1.0)) as ledger:
        assert (ledger.tokens_in, ledger.tokens_out) == (100, 50)
        assert ledger.cost == pytest.approx(150 / 1e6)


def test_a_server_that_counts_no_tokens_is_counted_for(tmp_path: Path) -> None:
    server = ChatServer(lambda body, number: answer(json.dumps({"town": "A"}), tokens=(0, 0)))
    with working(tmp_path, server) as worker:
        one = fill(worker, 1)["r0"]
    assert one.answer.tokens_in == tokens_of(text_of(server.requests[0]))
    assert one.answer.tokens_out == tokens_of('{"town": "A"}')


def test_a_killed_worker_asks_only_what_it_has_no_answer_to(tmp_path: Path) -> None:
    with working(tmp_path, ChatServer(lambda body, number: says("A"))) as worker:
        some = worker.fill(requests(50), Town, check=no_objection, effort=EFFORT)
        for _ in range(7):
            next(some)
        some.close()  # type: ignore[attr-defined]
    with Ledger(tmp_path, Budget()) as ledger:
        kept = len(list(ledger.rows()))
    again = ChatServer(lambda body, number: says("A"))
    with working(tmp_path, again) as worker:
        fill(worker, 50)
    assert kept >= 7
    assert len(again.requests) == 50 - kept


def test_the_key_is_in_no_kept_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with working(tmp_path, ChatServer(lambda body, number: says("A"))) as worker:
        fill(worker, 1)
    assert all(b"secret" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_two_at_once_do_not_share_a_budget(tmp_path: Path) -> None:
    with Ledger(tmp_path, Budget()), pytest.raises(BadInput, match="another ppubench asks language models"):
        Ledger(tmp_path, Budget())
