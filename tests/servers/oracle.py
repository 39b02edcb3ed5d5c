"""A loopback OpenAI-compatible server that knows what a build's own tables say: a target without a model."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.instant import SILENCE, InstantResponder
from schemas.protocols.responder import Ask, Decoding, Reply


@contextmanager
def oracle(build: Path, *, share: float = 0.8, batches: int = 1) -> Iterator[str]:
    """Base URL of a server that answers the probes of `build` (one shard a batch) while the context lasts.

    The newest batch whose questions are made is asked first: pictures of an earlier one are not asked about again.
    """
    responders = [InstantResponder(build, share=share, batch=number) for number in reversed(range(batches))]
    lock = threading.Lock()

    def answer(ask: Ask) -> Reply:
        for responder in responders:
            try:
                (reply,) = responder.answer([ask], Decoding())
            except LookupError:
                continue
            return reply
        return Reply(ask_id=ask.ask_id, text=SILENCE)  # the small question that every server is asked first

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text, image = "", None
            content = asked["messages"][0]["content"]
            for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
                if part["type"] == "text":
                    text = part["text"]
                else:
                    image = base64.b64decode(part["image_url"]["url"].partition(",")[2])
            with lock:
                reply = answer(Ask(ask_id="1", text=text, image=image))
            message = {"role": "assistant", "content": reply.text}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            body = {"id": "1", "object": "chat.completion", "created": 0, "model": asked["model"], "choices": [choice]}
            self._send(json.dumps(body).encode())

        def do_GET(self) -> None:
            self._send(json.dumps({"object": "list", "data": [{"id": "oracle", "object": "model"}]}).encode())

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
