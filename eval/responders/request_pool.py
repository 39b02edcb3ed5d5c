"""Many open requests at once: one thread runs them, the caller's thread draws the questions and takes the answers."""

import asyncio
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from json import JSONDecodeError
from types import TracebackType
from typing import TYPE_CHECKING, Self

from eval.responders.chat import KEY_VARIABLE, NoAnswer, completion_of
from eval.responders.chat import without_credentials as shown
from eval.responders.load_balancer import Server, Servers
from eval.responders.openai_client import (
    PATH,
    client,
    error_line,
    is_filtered,
    never_arrived,
    reason,
    request_options,
    retry_after_s,
)
from schemas.errors import BadInput
from schemas.protocols.responder import CONTENT_FILTER, Ask, Completion

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

BUSY = (408, 409)
"""4xx that say "again" of one question; 429 says "later" of the server."""
LONGEST_WAIT_S = 900.0
"""A server that asks for a longer wait than this is not waited for."""
PAUSE_S = 0.25
"""Before a question whose answer could not be used is asked again; doubled each time."""


@dataclass
class _Job:
    ask_id: str
    body: bytes
    tries: int = 0


class Exchange:
    """A live resource: the thread, its event loop and the connections, for one run of questions."""

    def __init__(
        self, servers: Servers, body: Callable[[Ask], bytes], *, window: int, timeout_s: float, retries: int
    ) -> None:
        """`window`: most questions drawn and not yet answered. `body` may raise OSError or ValueError for a picture."""
        self._servers, self._body = servers, body
        self._window, self._timeout_s, self._retries = window, timeout_s, retries
        self._options = request_options()
        self._answers: queue.SimpleQueue[Completion | BaseException] = queue.SimpleQueue()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ask", daemon=True)
        self._why = "no server answers"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(RuntimeError):  # the loop has ended of itself
            self._loop.call_soon_threadsafe(self._main.cancel)
        self._thread.join()

    def completions(self, asks: Iterable[Ask]) -> Iterator[Completion]:
        """One Completion per Ask, in order of arrival; asks are drawn as there is room for them."""
        drawn = 0
        for ask in asks:
            try:
                job = _Job(ask.ask_id, self._body(ask))
            except (OSError, ValueError) as error:
                yield _failed(ask.ask_id, f"the picture cannot be sent ({type(error).__name__})")
                continue
            self._loop.call_soon_threadsafe(self._jobs.put_nowait, job)
            drawn += 1
            while drawn >= self._window:
                yield self._next()
                drawn -= 1
        for _ in range(drawn):
            yield self._next()

    def _next(self) -> Completion:
        found = self._answers.get()
        if isinstance(found, BaseException):
            raise found
        return found

    def _run(self) -> None:
        try:
            asyncio.run(self._dispatch())
        except asyncio.CancelledError:
            pass
        except BaseException as problem:  # noqa: BLE001 - whatever it is, the caller's thread must hear of it
            self._answers.put(problem)
        finally:
            self._ready.set()

    async def _dispatch(self) -> None:
        self._loop, self._jobs = asyncio.get_running_loop(), asyncio.Queue[_Job]()
        current = asyncio.current_task()
        assert current is not None  # noqa: S101 - a coroutine run by asyncio.run is a task
        self._main = current
        self._ready.set()
        sending: set[asyncio.Task[None]] = set()
        async with AsyncExitStack() as stack:
            clients = {
                each.base_url: await stack.enter_async_context(client(each.base_url, timeout_s=self._timeout_s))
                for each in self._servers.all
            }
            try:
                while True:
                    job = await self._jobs.get()
                    server = await self._servers.take()
                    if server is None:
                        self._answers.put(_failed(job.ask_id, self._why))
                        continue
                    task = asyncio.create_task(self._send(clients[server.base_url], server, job))
                    sending.add(task)
                    task.add_done_callback(sending.discard)
            finally:
                for task in sending:
                    task.cancel()

    async def _send(self, to: "AsyncOpenAI", server: Server, job: _Job) -> None:
        try:
            await self._ask(to, server, job)
        except Exception as problem:  # noqa: BLE001 - BadInput or our own defect: the caller's thread must hear of it
            self._answers.put(problem)

    async def _ask(self, to: "AsyncOpenAI", server: Server, job: _Job) -> None:
        import openai
        from openai.types.chat import ChatCompletion

        sent_at = time.monotonic()
        try:
            # The body is made once for all tries, in the caller's thread; `create` would walk and encode it each time.
            found = await to.post(PATH, cast_to=ChatCompletion, content=job.body, options=self._options)
            answer = completion_of(job.ask_id, found)
        except openai.APIConnectionError as error:
            why = f"no answer from the server ({reason(error)})"
            if never_arrived(error):
                self._later(server, job, sent_at, rest_s=None, why=why)
            else:
                self._again(server, job, sent_at, why=why)
        except openai.APIStatusError as error:
            self._sort(server, job, error, sent_at=sent_at)
        except (NoAnswer, JSONDecodeError, UnicodeDecodeError) as error:
            why = str(error) if isinstance(error, NoAnswer) else "no JSON"
            self._again(server, job, sent_at, why=f"the answer cannot be used ({why})")
        else:
            self._servers.answered(server)
            self._answers.put(answer)

    def _sort(self, server: Server, job: _Job, error: "APIStatusError", *, sent_at: float) -> None:
        """What an error means: to be asked again, refused for good, or a reason to stop altogether."""
        status, wait_s = error.status_code, retry_after_s(error.response.headers)
        if is_filtered(error):
            self._servers.done(server)
            self._answers.put(Completion(ask_id=job.ask_id, text="", finish=CONTENT_FILTER))
        elif wait_s is not None and wait_s > LONGEST_WAIT_S:
            self._servers.done(server)
            self._answers.put(_failed(job.ask_id, f"{error_line(error)} (it asks to wait {wait_s:.0f} s)"))
        elif status == 429 or (status == 503 and wait_s is not None):
            self._later(server, job, sent_at, rest_s=wait_s, why=error_line(error))
        elif status in BUSY or status >= 500:
            self._again(server, job, sent_at, why=error_line(error), wait_s=wait_s)
        elif status in (401, 403):
            raise refused_key(server.base_url, status)
        elif status == 404:
            raise BadInput(shown(server.base_url), f"has lost the model ({error_line(error)})", "serve it again")
        else:
            self._servers.done(server)
            self._answers.put(_failed(job.ask_id, error_line(error)))

    def _later(self, server: Server, job: _Job, sent_at: float, *, rest_s: float | None, why: str) -> None:
        """The server is busy or gone: the question is asked again, here later or of another server at once."""
        self._why = why
        self._servers.refused(server, sent_at=sent_at, rest_s=rest_s, why=why)
        self._jobs.put_nowait(job)

    def _again(self, server: Server, job: _Job, sent_at: float, *, why: str, wait_s: float | None = None) -> None:
        """The question was not answered usably: it is asked again a few times, since it may be its own fault."""
        self._why = why
        self._servers.broke(server, sent_at=sent_at, why=why)
        job.tries += 1
        if job.tries > self._retries:
            self._answers.put(_failed(job.ask_id, why))
            return
        pause_s = PAUSE_S * 2 ** (job.tries - 1) if wait_s is None else wait_s
        self._loop.call_later(pause_s, self._jobs.put_nowait, job)


def _failed(ask_id: str, error: str) -> Completion:
    return Completion(ask_id=ask_id, text="", error=error)


def refused_key(base_url: str, status: int) -> BadInput:
    """The line about a key that is missing or wrong. The server's own text may repeat the key, so it is left out."""
    if not os.environ.get(KEY_VARIABLE, "").strip():
        found, advice = f"needs a key, and {KEY_VARIABLE} is not set", f"set {KEY_VARIABLE} in the environment"
    else:
        found, advice = "refuses the key", f"set {KEY_VARIABLE} to a key that the server takes"
    return BadInput(shown(base_url), f"{found} (HTTP {status})", advice)
