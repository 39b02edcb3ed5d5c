"""flows.audit.audit: what an audit runs, that it goes on where it was killed, and what it refuses."""

from pathlib import Path

import pytest

from flows.audit.audit import AuditReport, run_audit
from flows.audit.audit_request import AuditRequest
from flows.evaluation.evaluate_request import EvaluateRequest
from schemas.errors import BadInput
from sources.sandbox.tiny_model import make_tiny_model
from tests.servers.chat_server import ChatServer, answer, serving
from tests.worlds.eval_world import write_dataset
from tests.worlds.tiny_models import TEXTS

ROUTES = ("asked", "over_refusal", "paraphrase")
WRITTEN = ("audit.html", "audit.md", "routes.csv")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("world") / "hub", people=3)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model from outside, and the one that it is said to have been made of."""
    folder = tmp_path_factory.mktemp("models")
    made = [make_tiny_model(TEXTS, folder / name, seed=seed, hidden=32, layers=2)
            for seed, name in enumerate(("outside", "base"))]  # fmt: skip
    return made[0], made[1]


def request(hub: Path, models: tuple[Path, Path], **changes: object) -> AuditRequest:
    asked = EvaluateRequest(
        dataset=hub, model=str(models[0]), label="theirs", setting="selective", max_new_tokens=2, batch=16
    )
    return AuditRequest(**{"asked": asked, "target": str(models[1]), "routes": ROUTES, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(hub: Path, models: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AuditReport]:
    out = tmp_path_factory.mktemp("audits") / "whole"
    return out, run_audit(request(hub, models), out)


def test_model_and_target_are_tried_on_the_same_routes(whole: tuple[Path, AuditReport]) -> None:
    audited = whole[1].audited
    assert (audited.name, tuple(audited.run), tuple(audited.target)) == ("theirs", ROUTES, ROUTES)
    assert {len(audited.run["asked"].result.facts), len(audited.target["asked"].result.facts)} == {18}


def test_a_dataset_without_a_probe_has_no_control_and_says_so(whole: tuple[Path, AuditReport]) -> None:
    assert "there is no control" in (whole[0] / "audit.md").read_text()


def test_an_audit_that_was_killed_goes_on_and_ends_in_the_same_bytes(
    hub: Path, models: tuple[Path, Path], whole: tuple[Path, AuditReport], tmp_path: Path
) -> None:
    def breaks(what: str, done: int, total: int) -> None:
        if what == "routes" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_audit(request(hub, models), tmp_path, progress=breaks)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("routes-*/*.json")}
    assert len(kept) == 2
    run_audit(request(hub, models), tmp_path)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    for name in WRITTEN:
        assert (tmp_path / name).read_bytes() == (whole[0] / name).read_bytes(), name


def test_what_no_time_is_left_for_is_said_and_run_by_a_later_call(
    hub: Path, models: tuple[Path, Path], whole: tuple[Path, AuditReport], tmp_path: Path
) -> None:
    brief = run_audit(request(hub, models, minutes=1e-6), tmp_path)
    assert [name for name, _ in brief.audited.left_out] == ["over_refusal", "paraphrase"]
    assert "no time was left" in brief.files.markdown.read_text()
    later = run_audit(request(hub, models), tmp_path)
    assert not later.audited.left_out
    assert later.files.markdown.read_bytes() == (whole[0] / "audit.md").read_bytes()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"minutes": 0.0}, "--minutes 0: is no time"),
        ({"routes": ("asked", "telepathy")}, "route 'telepathy': is not a route"),
        ({"oracle": True, "target": ""}, "--oracle: needs the target"),
        ({"oracle": True}, "an oracle: needs a build"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_asked(
    hub: Path, models: tuple[Path, Path], tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        run_audit(request(hub, models, **changes), tmp_path)
    assert not list(tmp_path.rglob("*.jsonl"))


def test_what_a_server_cannot_give_is_said(hub: Path, tmp_path: Path) -> None:
    with serving(ChatServer(lambda body, number: answer("I do not know."))) as url:
        asked = EvaluateRequest(dataset=hub, model=f"openai:{url}#m", setting="selective", max_new_tokens=8)
        routes = ("asked", "options", "nf4", "lens")
        audited = run_audit(AuditRequest(asked, routes=routes), tmp_path).audited
    assert {name: record.result.not_run for name, record in audited.run.items()} == {
        "asked": "",
        "options": "it gives no log-probabilities of given answers",
        "nf4": "it gives no weights to change",
        "lens": "it gives no states of its layers",
    }
