"""`make ui`: a real server with the project's settings, found by builds, and gone without a trace."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from flows.runners.prefect_server import HEARTBEATS, running_server, without_heartbeats
from flows.runners.prefect_ui import RUNNING, ui_address
from schemas.loopback import opened
from tests.documents import ROOT
from tests.servers.ports import own_port
from tests.servers.waiting import patient, wait_while_running


def test_flows_wait_for_no_heartbeat_unless_it_is_wished(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect's engine joins at the end of each flow a thread that sleeps a second at a time."""
    from prefect import flow
    from prefect.flow_engine import FlowRunEngine

    monkeypatch.delenv(HEARTBEATS, raising=False)
    engine = FlowRunEngine[[], None](flow=flow(lambda: None, name="nothing"))
    with without_heartbeats():
        assert engine.heartbeat_seconds is None
    assert isinstance(engine.heartbeat_seconds, int)
    monkeypatch.setenv(HEARTBEATS, "45")
    with without_heartbeats():
        assert isinstance(engine.heartbeat_seconds, int)  # as often as Prefect read when it was imported


def test_without_a_server_there_is_no_address(tmp_path: Path) -> None:
    assert ui_address(tmp_path) is None


@pytest.mark.parametrize("content", ["{", "{}", "[]", '{"api": "http://127.0.0.1:9/api"}', '{"api": "nonsense"}'])
def test_a_file_left_by_a_dead_server_is_not_believed(tmp_path: Path, content: str) -> None:
    (tmp_path / RUNNING).write_text(content)
    assert ui_address(tmp_path) is None


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "flows.runners.prefect_ui", str(port)],
            cwd=ROOT, env={**os.environ, "PREFECT_HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == f"ppubench: port {port}: is taken; choose another one: make ui PORT=4201\n"


@pytest.mark.slow
def test_the_pages_are_served_and_found_and_end_on_request(prefect_database: Path, tmp_path: Path) -> None:
    shutil.copytree(prefect_database, tmp_path, dirs_exist_ok=True)
    with own_port() as port:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.runners.prefect_ui", str(port)],
            cwd=ROOT, env={**os.environ, "PREFECT_HOME": str(tmp_path)}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert wait_while_running(process, lambda: ui_address(tmp_path) is not None)
            assert ui_address(tmp_path) == f"http://127.0.0.1:{port}/api"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
                assert b"<html" in page.read()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/admin/settings") as answer:
                settings = json.load(answer)
            assert settings["server"]["analytics_enabled"] is False
        finally:
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=patient(60))
    assert f"http://127.0.0.1:{port} " in said
    assert not (tmp_path / RUNNING).exists()


def test_two_servers_at_once_have_a_port_each(prefect_database: Path, tmp_path: Path) -> None:
    """Each holds its port from before its process starts, so that neither can take the other's."""
    for name in ("one", "two"):
        shutil.copytree(prefect_database, tmp_path / name)
    with running_server(tmp_path / "one") as first, running_server(tmp_path / "two") as second:
        addresses = {first["PREFECT_API_URL"], second["PREFECT_API_URL"]}
        assert len(addresses) == 2
        for address in addresses:
            with opened(f"{address}/health", timeout_s=60) as answer:
                assert answer.read() == b"true"
