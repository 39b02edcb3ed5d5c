"""A Prefect server for the time of one build: a child process that ends with its parent, even after kill -9.

Prefect's own temporary server outlives a killed client. This one watches its parent and leaves when the parent is gone.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from schemas.errors import BadInput
from schemas.loopback import on_loopback, opened, without_proxies

START_TIMEOUT_S = 600.0
"""Far more than a busy machine needs; a server that ends is seen at once."""
WATCH_S = 0.5
END_S = 1.5
"""How long the server may take to end in order: it holds nothing that a kill would spoil."""
HEARTBEATS = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"


def prefect_settings(home: Path) -> dict[str, str]:
    """Environment that keeps Prefect offline, quiet and inside the project (see docs/scaling.md)."""
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_CLI_PROMPT": "false",
    }


@contextmanager
def running_server(home: Path) -> Iterator[Mapping[str, str]]:
    """Start a server on a free loopback port; yields the settings with PREFECT_API_URL, stops it on the way out.

    Raises RuntimeError if it does not answer within START_TIMEOUT_S seconds.
    """
    home.mkdir(parents=True, exist_ok=True)
    # The child is given the bound socket, not its number: nobody can take the port before it listens there.
    with socket.socket() as bound, (home / "server.log").open("ab") as output:
        bound.bind(("127.0.0.1", 0))
        settings = prefect_settings(home) | {"PREFECT_API_URL": f"http://127.0.0.1:{bound.getsockname()[1]}/api"}
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "flows.runners.prefect_server", str(bound.fileno()), str(os.getpid())],
            env={**without_proxies(os.environ), **settings, "PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_FINAL": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[bound.fileno()],  # the port is held from here on: no other server can take it meanwhile
            start_new_session=True,  # Ctrl-C reaches the build, which then stops the server in order
            cwd=Path(__file__).resolve().parents[2],
        )
        try:
            _wait_until_healthy(process, settings["PREFECT_API_URL"], home / "server.log")
            yield settings
        finally:
            process.terminate()
            try:
                process.wait(timeout=END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def without_heartbeats() -> Iterator[None]:
    """Flow runs send no heartbeats, unless the environment says how often.

    At its end a flow waits for the thread that sends them, which looks up once a second: up to a second a stage. They
    serve automations of a server of one's own.
    """
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    if HEARTBEATS in os.environ:
        yield
        return
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


def spare_proxies() -> None:
    """Prefect's clients take no proxy from the environment where the server is on this machine.

    NO_PROXY alone does not do: httpx makes a connection pool for every proxy that is named, used or not, and fails at
    those of kinds that it cannot speak to (socks://, or socks5:// without socksio).
    """
    from prefect.client import orchestration
    from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient

    if on_loopback(os.environ.get("PREFECT_API_URL", "localhost")):
        for client in (PrefectHttpxSyncClient, PrefectHttpxAsyncClient):
            setattr(orchestration, client.__name__, partial(client, trust_env=False))


def require_server(api_url: str) -> None:
    """Raise BadInput unless a Prefect server answers at the address that the user's PREFECT_API_URL names."""
    try:
        with opened(f"{api_url}/health", timeout_s=10):
            return
    except (OSError, ValueError) as error:
        raise BadInput(f"PREFECT_API_URL={api_url}", f"does not answer ({error})", "start it, or unset it") from error


def _wait_until_healthy(process: subprocess.Popen[bytes], api_url: str, server_log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the Prefect server ended with status {process.returncode}; see {server_log}")
        try:
            with opened(f"{api_url}/health", timeout_s=10):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the Prefect server did not answer within {START_TIMEOUT_S:.0f} s; see {server_log}")


def _leave_with(parent: int) -> None:
    """End this process as soon as `parent` is no longer its parent."""
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(0)


def serve_api(bound: socket.socket) -> None:
    """Serve Prefect's API on a bound loopback socket in this process until it is told to end."""
    import uvicorn

    config = uvicorn.Config("prefect.server.api.server:create_app", factory=True, log_level="error", lifespan="on")
    uvicorn.Server(config).run(sockets=[bound])


def main() -> None:
    """`python -m flows.runners.prefect_server SOCKET PARENT_PID`: serve on an inherited socket until the parent is
    gone.
    """
    bound, parent = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    serve_api(bound)


if __name__ == "__main__":
    main()
