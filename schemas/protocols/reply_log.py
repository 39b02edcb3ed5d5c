"""Replies on disk as they arrive, one JSON line each, so that an interrupted probe asks nothing twice."""

from pathlib import Path
from types import TracebackType

from schemas.protocols.responder import Reply
from schemas.storage.line_log import LineLog


class AnswerLog:
    """An append-only file of replies; open it as a context manager, in one process at a time. See
    schemas.storage.line_log.

    An ask whose reply was cut off by a kill is open again; so is one that ended in an error.
    """

    def __init__(self, path: Path, *, key: str) -> None:
        self._log = LineLog(path, Reply, key=key, name_of=lambda reply: reply.ask_id)
        self._failed = {reply.ask_id for reply in self._log.rows() if reply.error}

    def has(self, ask_id: str) -> bool:
        """Whether the ask was answered; an error is no answer."""
        return ask_id in self._log and ask_id not in self._failed

    def reply(self, ask_id: str) -> Reply | None:
        """The last reply to the ask, be it an error, or None."""
        return self._log.get(ask_id)

    def save(self, reply: Reply) -> None:
        """Append the reply and hand it to the operating system: it survives the death of this process."""
        self._log.save(reply)
        if reply.error:
            self._failed.add(reply.ask_id)
        else:
            self._failed.discard(reply.ask_id)

    def __len__(self) -> int:
        return len(self._log)

    def __enter__(self) -> "AnswerLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.__exit__(kind, error, trace)
