"""The openai: responder against a server that others wrote: `transformers serve` with a tiny model."""

import signal
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eval.responders.remote import RemoteResponder
from flows.resources.responders import open_responder
from schemas.errors import BadInput
from schemas.protocols.responder import Ask, Decoding
from schemas.records.build_rows import Evidence, Portrait
from schemas.storage.tables import read_records
from tests.documents import ROOT
from tests.servers.forked import Forked
from tests.servers.ports import own_port
from tests.servers.waiting import patient, wait_while_running
from tests.worlds.tiny_models import BUILDERS, picture

pytestmark = pytest.mark.slow
DEMO = ROOT / "builds" / "demo"
GREEDY = Decoding(max_new_tokens=8)


def serve(folder: str, port: int) -> None:
    """`transformers serve`. Tiny Qwen models name a video processor, which wants torchvision; pictures need none."""
    from transformers.cli.transformers import main

    from unlearn.models.processors import register_video_stub

    register_video_stub()
    sys.argv = ["transformers", "serve", folder, "--device", "cpu", "--port", str(port)]
    main()


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=patient(5)):
            return True
    except OSError:
        return False


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    with own_port() as port:
        process = Forked(serve, str(folder), port)
        try:
            assert wait_while_running(process, lambda: healthy(port)), process.communicate()
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(patient(60))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    home = tmp_path_factory.mktemp("served")
    folder = BUILDERS["qwen3_vl"](home / "model")
    with serving(folder) as url:
        yield folder, url


def asks() -> list[Ask]:
    return [
        Ask(
            ask_id=str(number),
            text="Where was Ada Lovelace born?" + " London" * number,
            image=picture(number) if number % 2 else None,
        )
        for number in range(8)
    ]


def test_the_server_gives_the_same_greedy_answers_as_the_model_itself(served: tuple[Path, str]) -> None:
    folder, url = served
    remote = {
        reply.ask_id: reply for reply in RemoteResponder([url], str(folder), concurrency=4).answer(asks(), GREEDY)
    }
    local = {reply.ask_id: reply for reply in open_responder(f"hf:{folder}", batch=1).answer(asks(), GREEDY)}
    assert {name: reply.text for name, reply in remote.items()} == {name: reply.text for name, reply in local.items()}
    # A random model may write nothing but control tokens: no answer, and said so.
    assert all("no answer within the most tokens" in reply.error for reply in remote.values() if not reply.text)
    assert not any(reply.error for reply in remote.values() if reply.text)
    assert any(reply.text for reply in remote.values())


def test_the_check_passes_pictures_and_schemas(served: tuple[Path, str], caplog: pytest.LogCaptureFixture) -> None:
    folder, url = served
    RemoteResponder([url], str(folder)).check(images=True, schemas=True)
    assert not caplog.messages


def test_a_model_that_is_not_served_is_said_in_one_line(served: tuple[Path, str]) -> None:
    with pytest.raises(BadInput, match="refuses a plain question .HTTP 400: Server is pinned to") as caught:
        RemoteResponder([served[1]], "other").check(images=False)
    assert "\n" not in str(caught.value)


def test_the_model_is_named_with_its_answer_and_no_folder(served: tuple[Path, str]) -> None:
    folder, url = served
    responder = RemoteResponder([url], str(folder))
    (found,) = responder.complete(asks()[:1], GREEDY)
    assert found.model == "model@main"
    assert found.tokens_in > 5
    assert responder.identity == "openai:127.0.0.1#model"


@pytest.mark.skipif(not (DEMO / "probe" / "0").is_dir(), reason="needs the demo build (make demo)")
def test_the_demos_target_answers_behind_a_server_what_it_answered_in_the_build() -> None:
    evidence = [
        row
        for row in read_records(next((DEMO / "probe" / "0").glob("evidence-*")), Evidence)
        if row.condition == "greedy"
    ]
    pictures = {
        row.image_id: row.content
        for path in (DEMO / "screen" / "0").glob("portraits-*")
        for row in read_records(path, Portrait)
    }
    by_name, by_face = ([row for row in evidence if bool(row.image_id) is shown] for shown in (False, True))
    some = [*by_name[:: len(by_name) // 20], *by_face[:: len(by_face) // 20]]
    asked = [
        Ask(ask_id=str(number), text=row.prompt, image=pictures[row.image_id] if row.image_id else None)
        for number, row in enumerate(some)
    ]
    target = (DEMO / "target").resolve()
    with serving(target) as url:
        replies = list(RemoteResponder([url], str(target), concurrency=4).answer(asked, Decoding(max_new_tokens=24)))
    same = sum(reply.text == some[int(reply.ask_id)].reply for reply in replies)
    assert same >= 0.95 * len(some)
