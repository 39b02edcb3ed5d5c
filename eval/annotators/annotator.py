"""A language model that fills forms: held to a schema, checked, asked once more if wrong, every answer kept."""

import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic

from pydantic import JsonValue, ValidationError

from eval.annotators.budget import KeptAnswer, Ledger, tokens_of
from schemas.errors import BadInput, Unfinished
from schemas.matching.thoughts import without_thoughts
from schemas.progress import Progress, silent
from schemas.protocols.annotator import Effort, Estimate, F, Filled, Form, Request, WorkerAnswer
from schemas.protocols.responder import Ask, Completer, Decoding
from schemas.storage.artifacts import digest

log = logging.getLogger(__name__)

TRIES = 2
"""How often a form is asked for: once, and once more with what was wrong."""
UNUSABLE_AT_FIRST = 10
"""If so many of the first answers are unusable, and none usable, the model is given up at once."""
FAILED_IN_A_ROW = 20
"""Failed requests one after the other that end the work: the server is gone, not the question."""
SHOWN = 120
"""Characters of a bad answer that an error shows."""


@dataclass(frozen=True)
class _Try:
    """A request in the words in which it is asked."""

    request: Request
    prompt: str
    number: int
    tokens: tuple[int, int] = (0, 0)
    """In and out, of the tries before."""


@dataclass(frozen=True)
class _Job(Generic[F]):
    """One call of `fill`."""

    form: type[F]
    check: Callable[[str, F], str]
    effort: Effort
    schema: JsonValue


@dataclass
class _Tally:
    asked: int = 0
    usable: int = 0
    unusable: int = 0
    first: str = ""
    """The first unusable answer and what is wrong with it."""
    failed: str = ""
    """Why the last request failed that failed for good."""
    in_a_row: int = 0


@dataclass
class _Open:
    """What is still to be asked, what is being asked, and what an answer that just came serves too."""

    queue: deque[_Try] = field(default_factory=deque)
    asked: dict[str, list[_Try]] = field(default_factory=dict)
    served: deque[tuple[_Try, KeptAnswer]] = field(default_factory=deque)
    stop: list[Unfinished] = field(default_factory=list)


class LanguageWorker:
    """Fills forms through a server. Answers are kept in the ledger, by all that they were asked with."""

    def __init__(
        self,
        model: Completer,
        ledger: Ledger,
        *,
        fall_back: bool,
        where: str,
        progress: Progress = silent,
    ) -> None:
        """`where`: the key of the recipe that names this worker, for messages. `progress` is of one call of `fill`."""
        self._model, self._ledger, self._fall_back, self._where = model, ledger, fall_back, where
        self._progress = progress

    @property
    def identity(self) -> str:
        return self._model.identity

    @property
    def fall_back(self) -> bool:
        return self._fall_back

    def estimate(self, requests: Iterable[Request], form: type[Form], *, effort: Effort) -> Estimate:
        """See Worker. Equal prompts are asked once; a kept first answer counts as kept, even if it was repaired."""
        schema = form.model_json_schema()
        prompts = [with_shape(request.prompt, schema) for request in requests]
        names = {self._name(prompt, schema, effort): prompt for prompt in prompts}
        unknown = [prompt for name, prompt in names.items() if name not in self._ledger]
        tokens_in, tokens_out = sum(map(tokens_of, unknown)), len(unknown) * effort.max_new_tokens
        return Estimate(
            requests=len(unknown),
            kept=len(prompts) - len(unknown),
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost=self._ledger.budget.cost(tokens_in, tokens_out),
        )

    def fill(
        self, requests: Iterable[Request], form: type[F], *, check: Callable[[str, F], str], effort: Effort
    ) -> Iterator[Filled[F]]:
        """See Worker. Answers come in no fixed order, those that were kept first."""
        job = _Job(form, check, effort, form.model_json_schema())
        tally, work = _Tally(), _Open()
        for request in requests:
            tally.asked += 1
            settled = self._from_kept(_Try(request, with_shape(request.prompt, job.schema), 1), job, tally)
            if isinstance(settled, Filled):
                yield settled
            else:
                work.queue.append(settled)
        while work.queue or work.served:
            for one, answer in self._answers(work, job, tally):
                again = self._settle(one, answer, job, tally)
                if isinstance(again, Filled):
                    yield again
                else:
                    work.queue.appendleft(again)
            if work.stop:
                raise work.stop[0]
        self._close(tally)

    def _name(self, prompt: str, schema: JsonValue, effort: Effort) -> str:
        asked: JsonValue = {"worker": self.identity, "prompt": prompt, "schema": schema, **effort.model_dump()}
        return digest(asked)

    def _from_kept(self, one: _Try, job: _Job[F], tally: _Tally) -> Filled[F] | _Try:
        """What the kept answers make of a request: the filled form, or the try that has to be asked."""
        while (kept := self._ledger.get(self._name(one.prompt, job.schema, job.effort))) is not None:
            settled = self._settle(one, kept, job, tally)
            if isinstance(settled, Filled):
                return settled
            one = settled
        return one

    def _answers(self, work: _Open, job: _Job[F], tally: _Tally) -> Iterator[tuple[_Try, KeptAnswer]]:
        """Ask what is open; every answer is kept before it is handed on."""
        effort = job.effort
        decoding = Decoding(temperature=effort.temperature, max_new_tokens=effort.max_new_tokens, seed=effort.seed)
        yield from _drained(work.served)
        for found in self._model.complete(self._drawn(work, job), decoding, schema=job.schema):
            tries = work.asked.pop(found.ask_id)
            reserved = tokens_of(tries[0].prompt)
            self._ledger.release(reserved, effort.max_new_tokens)
            if found.error:
                tally.failed, tally.in_a_row = found.error, tally.in_a_row + 1
                if tally.in_a_row >= FAILED_IN_A_ROW:
                    raise Unfinished(f"{self._where}: the last {tally.in_a_row} requests all failed ({found.error})")
                continue
            tally.in_a_row = 0
            kept = KeptAnswer(
                name=found.ask_id,
                text=found.text,
                model=found.model,
                seed=effort.seed,
                # A server that does not count is counted for, or no budget would hold.
                tokens_in=found.tokens_in or reserved,
                tokens_out=found.tokens_out or tokens_of(found.text),
            )
            self._ledger.save(kept)
            yield from ((one, kept) for one in tries)
            yield from _drained(work.served)

    def _drawn(self, work: _Open, job: _Job[F]) -> Iterator[Ask]:
        """What is asked next, as long as the budget lasts. Equal prompts are asked once."""
        while work.queue:
            one = work.queue.popleft()
            name = self._name(one.prompt, job.schema, job.effort)
            kept = self._ledger.get(name)
            if kept is not None:
                work.served.append((one, kept))
            elif name in work.asked:
                work.asked[name].append(one)
            else:
                try:
                    self._ledger.reserve(tokens_of(one.prompt), job.effort.max_new_tokens)
                except Unfinished as problem:
                    work.stop.append(problem)
                    return
                work.asked[name] = [one]
                yield Ask(ask_id=name, text=one.prompt)

    def _settle(self, one: _Try, kept: KeptAnswer, job: _Job[F], tally: _Tally) -> Filled[F] | _Try:
        """The filled form of an answer, or the next try. Raises BadInput where the model is of no use."""
        form, problem = _read(kept.text, job.form)
        if form is not None:
            problem = job.check(one.request.request_id, form)
        tokens = (one.tokens[0] + kept.tokens_in, one.tokens[1] + kept.tokens_out)
        if problem and one.number < TRIES:
            return _Try(one.request, _repair(one.prompt, kept.text, problem), one.number + 1, tokens)
        if problem:
            tally.unusable += 1
            tally.first = tally.first or f"{one.request.request_id} {problem}: {kept.text[:SHOWN]!r}"
            if not self._fall_back and not tally.usable and tally.unusable >= UNUSABLE_AT_FIRST:
                raise self._unusable(tally)
        else:
            tally.usable += 1
        self._progress(self._where, tally.usable + tally.unusable, tally.asked)
        answer = WorkerAnswer(
            request_id=one.request.request_id,
            worker=self.identity,
            model=kept.model,
            seed=job.effort.seed,
            temperature=job.effort.temperature,
            tries=one.number,
            tokens_in=tokens[0],
            tokens_out=tokens[1],
            problem=problem,
        )
        return Filled(one.request.request_id, None if problem else form, answer)

    def _unusable(self, tally: _Tally) -> BadInput:
        return BadInput(
            f"{self._where} {self.identity}",
            f"answered {tally.unusable} of {tally.unusable + tally.usable} requests unusably, asked twice "
            f"({tally.first})",
            "name another model, or let the built-in stand in with fall_back = true",
        )

    def _close(self, tally: _Tally) -> None:
        if tally.unusable and not self._fall_back:
            raise self._unusable(tally)
        if tally.unusable:
            done = "%s: %d of %d answers could not be used; the built-in stands in for them (first: %s)"
            log.warning(done, self._where, tally.unusable, tally.unusable + tally.usable, tally.first)
        if tally.failed:
            raise Unfinished(f"{self._where}: not every request was answered (last: {tally.failed})")


def _drained(served: deque[tuple[_Try, KeptAnswer]]) -> Iterator[tuple[_Try, KeptAnswer]]:
    while served:
        yield served.popleft()


def with_shape(prompt: str, schema: JsonValue) -> str:
    """The prompt with the shape of its answer, which not every server enforces."""
    shape = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return f"{prompt}\n\nAnswer with one JSON object and nothing else. Its JSON schema is {shape}"


def _repair(prompt: str, text: str, problem: str) -> str:
    return (
        f"{prompt}\n\nYou have answered:\n{text[:2000]}\n\nThat answer cannot be used, because it {problem}. "
        "Answer once more, with one JSON object."
    )


def _read(text: str, form: type[F]) -> tuple[F | None, str]:
    """The form in an answer, which may stand in a code block or after some words; or None and what is wrong."""
    text = without_thoughts(text)
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return None, "holds no JSON object"
    try:
        return form.model_validate_json(text[start : end + 1]), ""
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return None, f"does not fit the schema ({f'{place}: ' if place else ''}{first['msg']})"
