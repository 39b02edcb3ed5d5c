"""The one exception for wrong use or bad input: it becomes one line on stderr and exit status 2."""


class BadInput(ValueError):
    """Wrong use or bad input, said in one line: where, what was found, what to do.

    `flows.cli` prints the message and ends with exit status 2; nothing has been half-written when it is raised.
    """

    def __init__(self, where: str, found: str, advice: str) -> None:
        self.where, self.found, self.advice = where, found, advice
        super().__init__(" ".join(f"{where}: {found}; {advice}".split()))

    def __reduce__(self) -> tuple[type["BadInput"], tuple[str, str, str]]:
        return type(self), (self.where, self.found, self.advice)


class Unfinished(RuntimeError):
    """Work that cannot be finished now through no fault of the input: a server that fails, most files unreachable.

    What was done is kept; the same command goes on. `flows.cli` prints the message and ends with exit status 1.
    """


class TableProblem(BadInput):
    """A table that does not hold what its record says; names file, row and column."""


def first_line(error: Exception, *, most: int = 200) -> str:
    """The first line of what an error says, at most so many characters; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:most]
