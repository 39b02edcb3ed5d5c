"""Builds behind proxies that lead nowhere: Prefect, the embedded world and a responder of this machine are reached."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eval.responders.openai_client import blocking_client
from schemas.errors import BadInput
from tests.documents import ROOT

RECIPE = """
name = "small"
[source]
kind = "sandbox"
people = 4
[select]
min_sitelinks = 10
[facts]
gated = "open"
[images]
width = 330
"""
NOWHERE = "http://127.0.0.1:9"
PROXIES = {
    "http proxies, NO_PROXY missing": {"HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE, "ALL_PROXY": NOWHERE},
    "lower case, other hosts in NO_PROXY": {
        "http_proxy": NOWHERE, "https_proxy": NOWHERE, "all_proxy": NOWHERE, "no_proxy": "intranet.example,[fe80::1]",
    },
    "socks of a kind that Python's clients do not know": {
        "http_proxy": NOWHERE, "all_proxy": "socks://127.0.0.1:9", "NO_PROXY": "*.intranet.example",
    },
    "socks5, everything in NO_PROXY": {"ALL_PROXY": "socks5://127.0.0.1:9", "NO_PROXY": "*"},
}  # fmt: skip


SOCKS = "socks://127.0.0.1:9"


@pytest.mark.parametrize("proxies", PROXIES.values(), ids=PROXIES)
def test_a_build_on_this_machine_does_not_notice_proxies(
    proxies: dict[str, str], prefect_database: Path, cache: Path, tmp_path: Path
) -> None:
    build, recipe = tmp_path / "build", tmp_path / "small.toml"
    recipe.write_text(RECIPE)
    own = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    home = {"PREFECT_HOME": str(shutil.copytree(prefect_database, tmp_path / "prefect")), "PPUBENCH_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-m", "flows", "build", str(recipe), "--out", str(build), "--until", "facts", "--json"],
        cwd=ROOT,
        env={**own, **home, **proxies},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    states = {stage["stage"]: stage["state"] for stage in json.loads(done.stdout)["stages"]}
    assert (states["select"], states["facts"]) == ("made", "made")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_responder_on_this_machine_is_asked_past_any_proxy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", SOCKS)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with blocking_client(f"http://{host}:8000/v1", timeout_s=1) as client:
        assert client.base_url.host == host.strip("[]")


def test_a_proxy_that_no_client_can_speak_to_is_refused_for_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", SOCKS)
    with pytest.raises(BadInput, match="the proxy of the environment: cannot be used .*socks.*; "):
        blocking_client("http://models.example/v1", timeout_s=1)
