"""What an HTTP answer means: a good body, an error that may pass, or an error for good."""

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TypeVar

from pydantic import JsonValue

from schemas.protocols.source import FetchProblem
from sources.http_client.cache import Answer

PASSING_API_ERRORS = ("maxlag", "ratelimited", "readonly", "internal_api_error", "cirrussearch", "search-error")
"""Beginnings of MediaWiki error codes that a later request may not meet."""
LASTING_CODES = ("404", "410", "no-such", "invalid", "gcminvalid")
"""Beginnings of statuses and error codes that say that there is no such thing."""
T = TypeVar("T")


class BadAnswer(FetchProblem):
    """The server answered, but with an error or not with what was asked for; `code` is the API's, the status, or ""."""

    def __init__(self, url: str, problem: str, *, code: str = "") -> None:
        self.code = code
        super().__init__(url, problem)


class Passing(Exception):
    """A failure that may pass. `hold`: it concerns all requests to the service; `answered`: the body was at fault.

    `broken`: the server failed at this very thing (500), and perhaps will again.
    """

    def __init__(self, problem: str, *, hold: bool = False, answered: bool = False, broken: bool = False) -> None:
        self.problem, self.hold, self.answered, self.broken = problem, hold, answered, broken
        self.retry_after_s: float | None = None
        super().__init__(problem)


def status_line(status: int) -> str:
    """Such as "404 Not Found"."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} (unknown status)"


def retry_after_seconds(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds to wait by the Retry-After header (seconds or an HTTP date), or None if there is no usable one.

    A date is compared with the answer's own Date header where there is one, so that a wrong local clock
    does not matter; else with `now` (Unix time).
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None
    since = now
    with contextlib.suppress(ValueError):
        since = parsedate_to_datetime(headers.get("Date", "")).timestamp()
    return max(0.0, until - since)


def passing_status(status: int) -> Passing | None:
    """The failure that a status stands for if it may pass (429 and 5xx), or None."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Passing(status_line(status), hold=True)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Passing(status_line(status), broken=status == HTTPStatus.INTERNAL_SERVER_ERROR)
    return None


def is_lasting(refusal: BadAnswer) -> bool:
    """Whether the same request will go on being refused, so that the refusal is worth keeping."""
    return refusal.code.startswith(LASTING_CODES)


def json_object(url: str, answer: Answer) -> dict[str, JsonValue]:
    """The answer's JSON object; raises BadAnswer for an error, Passing for one that may pass or for broken JSON."""
    if answer.status != HTTPStatus.OK:
        raise BadAnswer(url, status_line(answer.status), code=str(answer.status))
    try:
        found: JsonValue = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise Passing("the answer is not JSON", answered=True) from error
    if not isinstance(found, dict):
        raise Passing("the answer is not a JSON object", answered=True)
    if isinstance(problem := found.get("error"), dict):
        code, info = str(problem.get("code", "")), " ".join(str(problem.get("info", "")).split())[:200]
        if code.startswith(PASSING_API_ERRORS):
            hold = code.startswith(("maxlag", "ratelimited"))
            raise Passing(f"the API answers {code}", hold=hold)
        raise BadAnswer(url, f"the API answers {code}: {info}", code=code)
    return found


@dataclass(frozen=True)
class Patience:
    """How often a request is made before it is given up."""

    attempts: int
    after_500: int

    def attempts_for(self, passing: Passing) -> int:
        """Attempts that a failure is worth."""
        return self.after_500 if passing.broken else self.attempts


def value_of(url: str, answer: Answer, read: Callable[[Answer], T], patience: Patience) -> T:
    """What a kept answer says; raises what was raised when it came."""
    try:
        return fresh_value_of(answer, read)
    except Passing as passing:
        raise given_up(url, passing, patience) from passing


def fresh_value_of(answer: Answer, read: Callable[[Answer], T]) -> T:
    """What an answer says; raises Passing for a failure that may pass."""
    failed = passing_status(answer.status)
    if failed is not None:
        raise failed
    return read(answer)


def given_up(url: str, passing: Passing, patience: Patience) -> FetchProblem:
    """The problem after the last attempt."""
    kind = BadAnswer if passing.answered else FetchProblem
    return kind(url, f"{passing.problem}, {patience.attempts_for(passing)} times over")
