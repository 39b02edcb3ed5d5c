"""A real OpenAI-shaped server on a loopback port for tests: what it answers is a function of what it is asked."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from eval.responders.server_check import QUESTION

Body = dict[str, object]


@dataclass(frozen=True)
class Raw:
    """A body as it is, with its type."""

    body: bytes
    kind: str = "application/json"


@dataclass(frozen=True)
class Endless:
    """A body that never ends: the chunk again and again, until the client hangs up."""

    chunk: bytes
    pause_s: float = 0.0


Handled = tuple[int, Body | Raw | Endless, dict[str, str]]
"""Status, body and further headers of an answer."""


def answer(text: str, *, model: str = "m", tokens: tuple[int, int] = (10, 5)) -> Handled:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": model, "choices": [choice], "usage": usage}
    return 200, body, {}


def said(message: Body, *, finish: str | None = "stop", **cells: object) -> Handled:
    """An answer whose message is as it is given."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}, **cells}
    return 200, {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}, {}


def refuse(status: int, message: str, **headers: str) -> Handled:
    return status, {"error": {"message": message, "type": "x", "code": None}}, headers


def text_of(body: Body) -> str:
    """The text of the question."""
    messages = body["messages"]
    assert isinstance(messages, list)
    content = messages[0]["content"]
    return str(content if isinstance(content, str) else content[-1]["text"])


def shows_picture(body: Body) -> bool:
    messages = body["messages"]
    assert isinstance(messages, list)
    return isinstance(messages[0]["content"], list)


class ChatServer:
    """Answers questions by `handle`, called with the body and the number of the question (from 1).

    The check that comes before questions is answered and counted apart, unless `check` handles it.
    """

    def __init__(
        self, handle: Callable[[Body, int], Handled], *, check: Callable[[Body], Handled] = lambda body: answer("yes")
    ) -> None:
        self.handle, self.check = handle, check
        self.requests, self.checks = list[Body](), list[Body]()
        self.keys, self.lock, self.open_now, self.most_open = list[str](), threading.Lock(), 0, 0
        self.models: list[str] | None = None
        """What GET /v1/models lists; None: it has no such address."""

    def respond(self, body: Body, key: str) -> Handled:
        with self.lock:
            self.keys.append(key)
            if text_of(body) == QUESTION.text:
                self.checks.append(body)
                number = 0
            else:
                self.requests.append(body)
                number = len(self.requests)
                self.open_now += 1
                self.most_open = max(self.most_open, self.open_now)
        if number == 0:
            return self.check(body)
        try:
            return self.handle(body, number)
        finally:
            with self.lock:
                self.open_now -= 1


@contextmanager
def serving(server: ChatServer, *, port: int = 0) -> Iterator[str]:
    """The server's base URL while it runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/chat/completions":
                self.reply(404, Raw(b"<html>Not here</html>", "text/html"), {})
            else:
                self.reply(*server.respond(body, self.headers["Authorization"] or ""))

        def do_GET(self) -> None:
            if self.path == "/v1/models" and server.models is not None:
                self.reply(200, {"object": "list", "data": [{"id": name} for name in server.models]}, {})
            else:
                self.reply(404, Raw(b"<html>Not here</html>", "text/html"), {})

        def reply(self, status: int, content: Body | Raw | Endless, headers: dict[str, str]) -> None:
            if isinstance(content, Endless):
                self.flood(status, content)
                return
            raw = content if isinstance(content, Raw) else Raw(json.dumps(content).encode())
            self.send_response(status)
            self.send_header("Content-Type", raw.kind)
            self.send_header("Content-Length", str(len(raw.body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(raw.body)

        def flood(self, status: int, content: Endless) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            with suppress(OSError):
                while True:
                    self.wfile.write(f"{len(content.chunk):x}\r\n".encode() + content.chunk + b"\r\n")
                    time.sleep(content.pause_s)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    connections: list[socket.socket] = []

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        allow_reuse_address = True

        def get_request(self) -> tuple[socket.socket, object]:
            found = super().get_request()
            connections.append(found[0])
            return found

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients may hang up."""

    http = Quiet(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/v1"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
