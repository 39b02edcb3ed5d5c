"""A worker for tests that fills forms by a function, without a server, and gives the answers' records."""

from collections.abc import Callable, Iterable, Iterator

from schemas.protocols.annotator import Effort, Estimate, F, Filled, Form, Request, WorkerAnswer


class Filler:
    """Fills every form with what `write(prompt)` returns as JSON; a form that the check objects to is not used."""

    identity = "openai:filler#m"

    def __init__(self, write: Callable[[str], str], *, fall_back: bool = False) -> None:
        self.write, self.fall_back = write, fall_back
        self.efforts: list[Effort] = []
        self.problems: list[str] = []

    def estimate(self, requests: Iterable[Request], form: type[Form], *, effort: Effort) -> Estimate:
        return Estimate(requests=len(list(requests)))

    def fill(
        self, requests: Iterable[Request], form: type[F], *, check: Callable[[str, F], str], effort: Effort
    ) -> Iterator[Filled[F]]:
        self.efforts.append(effort)
        for request in reversed(list(requests)):
            found = form.model_validate_json(self.write(request.prompt))
            problem = check(request.request_id, found)
            self.problems += [problem] if problem else []
            answer = WorkerAnswer(
                request_id=request.request_id,
                worker=self.identity,
                model="m",
                seed=effort.seed,
                temperature=effort.temperature,
                tries=1,
                tokens_in=1,
                tokens_out=1,
                problem=problem,
            )
            yield Filled(request.request_id, None if problem else found, answer)
