"""The embedded world served over loopback in the shapes of Wikidata, its query service, Commons and uploads."""

import gzip
import json
import logging
import re
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from sources.sandbox.file_bytes import PictureStore
from sources.sandbox.people.entity_json import Json
from sources.sandbox.server.commons_api import COMMONS_HOST, UPLOAD_HOST, Commons, download
from sources.sandbox.server.faults import FaultKind, FaultPlan, Faults
from sources.sandbox.server.traffic import GRACE_S, Traffic, Visit
from sources.sandbox.server.wikidata_api import ApiError, MalformedQuery, Params, WikidataIndex, get_entities
from sources.sandbox.world import World

__all__ = ["COMMONS_HOST", "HOSTS", "QUERY_HOST", "UPLOAD_HOST", "WIKIDATA_HOST", "Faults", "RunningServer", "serve"]

log = logging.getLogger(__name__)

WIKIDATA_HOST, QUERY_HOST = "www.wikidata.example", "query.wikidata.example"
PAGEVIEWS_HOST = "wikimedia.example"
HOSTS = (WIKIDATA_HOST, QUERY_HOST, COMMONS_HOST, UPLOAD_HOST, PAGEVIEWS_HOST)
"""Logical hosts. Answers name only these; a client reaches them through the routes."""
MAX_FORM_BYTES = 1_000_000
GZIP_FROM_BYTES = 1_000
PAGEVIEWS = r"/api/rest_v1/metrics/pageviews/per-article/en\.wikipedia/all-access/user/([^/]+)/monthly/\d+/\d+"


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunningServer:
    """A server that answers until its context ends."""

    routes: Mapping[str, str]
    """Base URL (http://127.0.0.1:<port>) by logical host."""
    requests: list[str]
    """Path and query of every request so far, in the order of arrival."""
    traffic: Traffic
    """Rates, concurrency and waits, as the server saw them."""
    set_faults: Callable[[Faults], None]
    """From now on, other faults; what hit which URL so far is forgotten."""

    def count(self, part: str) -> int:
        """How many requests contained a piece of text in their path or query."""
        return sum(part in url for url in self.requests)


class _Site:
    """One world's answers, by path."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = PictureStore(world)
        self._commons = Commons(world, self._store)
        self._wikidata = WikidataIndex(world)

    def answer(self, path: str, params: Params) -> Answer:
        if path == "/w/api.php":
            return self._action(params)
        if path == "/sparql":
            return self._sparql(params)
        if (article := re.fullmatch(PAGEVIEWS, path)) is not None:
            counted = self._wikidata.pageviews(unquote(article[1]).replace("_", " "))
            return Answer(404, b'{"title": "Not found."}') if counted is None else _json(counted)
        if path.startswith("/wikipedia/commons/"):
            found = download(self._world, self._store, path)
            return Answer(found.status, found.content, found.mime, {"Access-Control-Allow-Origin": "*"})
        return Answer(404, b"Not found: " + path.encode(), "text/plain; charset=utf-8")

    def _action(self, params: Params) -> Answer:
        try:
            return _json(self._dispatch(params))
        except ApiError as error:
            return api_error(error.code, error.info, error.extra)
        except ValueError as error:
            return api_error("badinteger", f"Invalid value for an integer parameter: {error}")

    def _dispatch(self, params: Params) -> Json:
        match params.get("action"):
            case "wbgetentities":
                return get_entities(self._world, params)
            case "wbsearchentities":
                return self._wikidata.search(params)
            case "query" if params.get("meta") == "siteinfo":
                return {"batchcomplete": True, "query": {"general": {"sitename": "ppubench embedded world"}}}
            case "query":
                return self._commons.query(params)
            case other:
                raise ApiError("badvalue", f'Unrecognized value for parameter "action": {other}.')

    def _sparql(self, params: Params) -> Answer:
        try:
            answer = _json(self._wikidata.select(params.get("query", "")))
        except MalformedQuery as error:
            return Answer(400, f"SPARQL-QUERY: MalformedQueryException: {error}".encode(), "text/plain; charset=utf-8")
        return replace(answer, content_type="application/sparql-results+json;charset=utf-8")


def _json(value: Json) -> Answer:
    return Answer(200, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def api_error(code: str, info: str, extra: Json | None = None) -> Answer:
    """An error of the action API: HTTP 200, the code in the body and in a header."""
    answer = _json({"error": {"code": code, "info": info, **(extra or {})}, "servedby": "sandbox"})
    return replace(answer, headers={"MediaWiki-API-Error": code})


def _spoilt(answer: Answer, fault: FaultKind, faults: Faults) -> Answer:
    """The answer as a fault leaves it; `cut_body` is done while sending."""
    retry = {"Retry-After": str(faults.retry_after_s)}
    match fault:
        case "rate_limited":
            return Answer(429, b"Too many requests", "text/plain", retry)
        case "server_error":
            headers = retry if faults.retry_after_on_5xx else {}
            return Answer(503, b"upstream connect error", "text/plain", headers)
        case "maxlag" if answer.content_type.startswith("application/json"):
            lagged = api_error("maxlag", "Waiting for db: 7.1 seconds lagged.", {"lag": 7.1, "type": "db"})
            return replace(lagged, headers={**lagged.headers, **retry})
        case "malformed_json" if "json" in answer.content_type:
            return replace(answer, body=answer.body[: len(answer.body) * 2 // 3])
        case _:
            return answer


class _Handler(BaseHTTPRequestHandler):
    """Speaks HTTP for a site; the server object carries site, fault plan and request log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30
    server: "_Server"

    def do_GET(self) -> None:
        self._serve(dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True)))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_FORM_BYTES:
            self.close_connection = True
            with self.server.traffic.visit(self.path) as visit:
                self._send(Answer(413, b"Form too large", "text/plain"), visit, cut=False)
            return
        form = parse_qsl(self.rfile.read(length).decode(errors="replace"), keep_blank_values=True)
        self._serve(dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True)) | dict(form))

    def _serve(self, params: dict[str, str]) -> None:
        with self.server.traffic.visit(self.path) as visit:
            self._answer(params, visit)

    def _answer(self, params: dict[str, str], visit: Visit) -> None:
        self.server.log.append(self.path)
        plan = self.server.plan
        fault = plan.next(self.path)
        if fault == "slow" and self._hangs_up_within(plan.faults.slow_s):
            self.close_connection = True
            visit.over(ago_s=GRACE_S)
            return
        try:
            # Paths keep their escapes (a title may hold an escaped slash); the answers unescape what they match.
            answer = self.server.site.answer(urlsplit(self.path).path, params)
        except Exception as error:  # the server must answer whatever is sent to it
            log.exception("request %s failed", unquote(self.path))
            answer = Answer(500, f"{type(error).__name__}: {error}".encode(), "text/plain; charset=utf-8")
        if fault is not None:
            answer = _spoilt(answer, fault, plan.faults)
        visit.told_to_wait(float(answer.headers.get("Retry-After", 0)))
        self._send(answer, visit, cut=fault == "cut_body")

    def _hangs_up_within(self, seconds: float) -> bool:
        """Whether the client closes the connection before the time is over; returns as soon as it does."""
        readable, _, _ = select.select([self.connection], [], [], seconds)
        try:
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _send(self, answer: Answer, visit: Visit, *, cut: bool) -> None:
        body, zipped = answer.body, False
        if "gzip" in self.headers.get("Accept-Encoding", "") and "json" in answer.content_type:
            zipped = len(body) >= GZIP_FROM_BYTES
            body = gzip.compress(body, compresslevel=1, mtime=0) if zipped else body
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(body)))
        if zipped:
            self.send_header("Content-Encoding", "gzip")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if cut:
            self.close_connection = True
            body = body[: len(body) // 2]
        try:
            # Nobody can have the whole answer, and ask for the next, before the visit counts as over.
            if not body:
                visit.over()
            self.end_headers()
            self.wfile.write(body[:-1])
            visit.over()
            self.wfile.write(body[-1:])
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, world: World, faults: Faults) -> None:
        self.site, self.plan, self.log, self.traffic = _Site(world), FaultPlan(faults), list[str](), Traffic()
        super().__init__(("127.0.0.1", 0), _Handler)

    def set_faults(self, faults: Faults) -> None:
        self.plan = FaultPlan(faults)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off its connection, as an interrupted build does, is nothing to tell of."""
        if isinstance(sys.exception(), ConnectionError):
            log.debug("%s broke off", client_address)
        else:
            log.exception("the connection of %s failed", client_address)


@contextmanager
def serve(world: World, *, faults: Faults | None = None) -> Iterator[RunningServer]:
    """Serve a world on a free loopback port, in its own thread, until the context ends."""
    server = _Server(world, faults or Faults())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    # Large worlds take seconds to tell their faces apart: begin at once, while people and statements are asked for.
    threading.Thread(target=world.face, args=(0,), daemon=True).start()
    try:
        base = f"http://127.0.0.1:{server.server_address[1]}"
        yield RunningServer(
            routes=dict.fromkeys(HOSTS, base),
            requests=server.log,
            traffic=server.traffic,
            set_faults=server.set_faults,
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
