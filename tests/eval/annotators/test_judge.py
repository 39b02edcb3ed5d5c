"""A language model's second opinion: what it is told, what becomes of its rulings, and agreement worked by hand."""

import json
import re
from pathlib import Path

import pytest

from eval.annotators.judge import AgreementRow, Judged, agreement, judge, judge_prompt
from eval.evaluation_folder import read_evaluation, write_evaluation
from flows.evaluation.judge import judge_evaluation
from schemas.errors import BadInput
from schemas.recipes.build_recipe import WorkersConfig
from schemas.records.evaluation import Prediction
from schemas.vocabulary import Role
from tests.servers.chat_server import Body, ChatServer, Handled, answer, serving, text_of
from tests.servers.form_filler import Filler
from tests.worlds.synthetic_results import evaluation, prediction


def rows() -> list[Prediction]:
    said = {1: "Lima", 2: "the city of Lima", 3: "Oslo", 4: "Oslo or Lima"}
    return [
        prediction("001", number, "forget", correct=number in (1, 4), reply=reply) for number, reply in said.items()
    ]


def strict(prompt: str) -> str:
    """A judge that takes Lima in other words, and no second city beside it."""
    reply = prompt.rpartition("Reply: ")[2]
    return json.dumps({"right": "Lima" in reply and "Oslo" not in reply})


def test_the_prompt_of_a_judge_is_pinned() -> None:
    assert judge_prompt(rows()[1]) == (
        "Somebody was asked a question. Say whether their reply gives the right answer: in any words, spelling or "
        "format, and also if more is said beside it. A reply that names several different answers, refuses, or only "
        "hints is not right.\n\nQuestion: Where was person 001 born (2)?\nRight answer: Lima\nReply: the city of Lima"
    )


def test_both_opinions_of_every_open_answer_are_kept_in_order() -> None:
    judged, answers = judge(rows(), Filler(strict), seed=1)
    assert [(row.matched, row.right) for row in judged] == [(True, True), (False, True), (False, False), (True, False)]
    assert [one.request_id for one in answers] == [row.key for row in rows()]


def test_a_letter_is_not_judged_and_silence_is_not_right() -> None:
    silent = rows()[0].model_copy(update={"reply": "", "error": "HTTP 500", "correct": False})
    letter = rows()[1].model_copy(update={"task": "classification", "key": "c"})
    worker = Filler(lambda prompt: pytest.fail("nothing is to be judged"))
    judged, answers = judge([silent, letter], worker, seed=1)
    assert [(row.key, row.right) for row in judged] == [(silent.key, False)]
    assert answers == []


def opinion(number: int, role: Role, *, matched: bool, right: bool) -> Judged:
    return Judged(key=str(number), task="generation", modality="qa", role=role, matched=matched, right=right)


def test_agreement_and_kappa_by_hand() -> None:
    # 10 answers: both yes 4, both no 3, matched alone 1, judged alone 2. Agreed 0.7; chance .5 * .6 + .5 * .4 = .5.
    opinions = [(True, True)] * 4 + [(False, False)] * 3 + [(True, False)] + [(False, True)] * 2
    (row,) = agreement(
        opinion(number, "forget", matched=matched, right=right) for number, (matched, right) in enumerate(opinions)
    )
    assert (row.n, row.matched, row.right, row.agreement) == (10, 0.5, 0.6, 0.7)
    assert row.kappa == pytest.approx(0.4)


def test_kappa_of_answers_that_are_all_alike_is_none() -> None:
    found = agreement([opinion(1, "retain", matched=True, right=True)])
    assert found == [
        AgreementRow(task="generation", modality="qa", role="retain", n=1, matched=1, right=1, agreement=1, kappa=None)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    written = evaluation("gd", rows())
    write_evaluation(tmp_path / "evaluation", written.record, rows())
    return tmp_path / "evaluation"


def handle(body: Body, number: int) -> Handled:
    found = re.search(r"Reply: (.*?)\n\nAnswer with one JSON", text_of(body), re.DOTALL)
    assert found is not None
    return answer(strict(f"Reply: {found[1]}"))


def test_a_judged_evaluation_has_the_opinion_beside_it_and_stays_as_it_was(folder: Path) -> None:
    before = read_evaluation(folder)
    with serving(ChatServer(handle)) as url:
        report, out = judge_evaluation(folder, f"openai:{url}#clever")
    assert out.parent == folder
    assert (report.judge, report.tokens_in, report.tokens_out, report.unusable) == (
        "openai:127.0.0.1#clever",
        40,
        20,
        0,
    )
    assert [(row.n, row.matched, row.right, row.agreement) for row in report.rows] == [(4, 0.5, 0.5, 0.5)]
    assert json.loads((out / "judge.json").read_text())["rows"] == [report.rows[0].model_dump()]
    assert len((out / "judgements.jsonl").read_text().splitlines()) == 4
    assert read_evaluation(folder) == before


def test_judging_again_asks_nothing(folder: Path) -> None:
    with serving(ChatServer(handle)) as url:
        first = judge_evaluation(folder, f"openai:{url}#clever")
    assert judge_evaluation(folder, f"openai:{url}#clever") == first  # the server is gone


def test_a_judge_outside_the_schema_is_bad_input_unless_the_matching_may_stand_in(folder: Path) -> None:
    with serving(ChatServer(lambda body, number: answer("Right."))) as url:
        with pytest.raises(BadInput, match="--judge openai:127.0.0.1#m: answered 4 of 4 requests unusably"):
            judge_evaluation(folder, f"openai:{url}#m")
        report, _ = judge_evaluation(folder, f"openai:{url}#m", workers=WorkersConfig(fall_back=True))
    assert (report.unusable, report.rows[0].agreement) == (4, 1.0)


def test_a_judge_has_to_be_behind_a_server(folder: Path) -> None:
    with pytest.raises(BadInput, match="is no language model behind a server"):
        judge_evaluation(folder, "hf:some/model")
