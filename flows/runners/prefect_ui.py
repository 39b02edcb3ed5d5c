"""`make ui`: Prefect's own pages over the project's runs, with the project's settings; builds find this server."""

import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from flows.runners.prefect_server import prefect_settings, serve_api
from schemas.errors import BadInput
from schemas.loopback import opened
from schemas.storage.artifacts import write_json

PORT = 4200
RUNNING = "ui.json"
"""In PREFECT_HOME while the pages are served: where. Builds started meanwhile use that server instead of their own."""


def ui_address(home: Path) -> str | None:
    """The API address of the server that `make ui` runs over this PREFECT_HOME, or None if none answers."""
    try:
        found = json.loads((home / RUNNING).read_text())
        address = str(found["api"])
        with opened(f"{address}/health", timeout_s=5):
            return address
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _bind(port: int) -> socket.socket:
    """The port, ours from now on."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
        bound.listen()
    except OSError as error:
        bound.close()
        raise BadInput(f"port {port}", "is taken", "choose another one: make ui PORT=4201") from error
    return bound


def _say(home: Path, port: int) -> None:
    """Say the address once the server answers there."""
    while ui_address(home) is None:
        time.sleep(0.2)
    print(f"Prefect's pages: http://127.0.0.1:{port}   (Ctrl-C ends them; history in {home})", flush=True)
    print("Builds that are started meanwhile from this folder appear there.", flush=True)


def main() -> None:
    """`python -m flows.runners.prefect_ui [PORT]`: serve until Ctrl-C."""
    home = Path(os.environ.get("PREFECT_HOME", ".prefect")).resolve()
    try:
        port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
        bound = _bind(port)
    except (BadInput, ValueError) as problem:
        print(f"ppubench: {problem}", file=sys.stderr)
        raise SystemExit(2) from None
    home.mkdir(parents=True, exist_ok=True)
    api = f"http://127.0.0.1:{port}/api"
    os.environ.update(prefect_settings(home))
    os.environ |= {"PREFECT_UI_ENABLED": "1", "PREFECT_UI_API_URL": api, "PREFECT__SERVER_FINAL": "1"}
    write_json(home / RUNNING, {"api": api})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again once it has shut down
    threading.Thread(target=_say, args=(home, port), daemon=True).start()
    try:
        serve_api(bound)
    except KeyboardInterrupt:
        pass
    finally:
        (home / RUNNING).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
