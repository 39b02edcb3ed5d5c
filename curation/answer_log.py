"""Replies on disk as they arrive, one JSON line each, so that an interrupted probe asks nothing twice."""

import json
import logging
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from schemas.responders import Reply

logger = logging.getLogger(__name__)


class AnswerLog:
    """An append-only file of replies; open it as a context manager, in one process at a time.

    The first line holds the key of what the replies depend on: a file with another key is begun anew. A last line cut
    off by a kill is removed, and its ask is open again; so is an ask that ended in an error.
    """

    def __init__(self, path: Path, *, key: str) -> None:
        self._path = path
        self._replies: dict[str, Reply] = {}
        header = json.dumps({"key": key}) + "\n"
        intact = self._read(header.encode())
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = path.open("r+b" if intact else "wb")
        self._handle.truncate(intact)
        self._handle.seek(intact)
        if not intact:
            self._handle.write(header.encode())
            self._handle.flush()

    def _read(self, header: bytes) -> int:
        """Take in the replies of an existing file; returns how many of its bytes are intact, 0 to begin anew."""
        if not self._path.exists():
            return 0
        intact = 0
        with self._path.open("rb") as lines:
            for number, line in enumerate(lines):
                if number == 0 and line != header:
                    logger.warning("%s holds answers to other prompts or of another target; asking again", self._path)
                    return 0
                if number > 0:
                    try:
                        reply = Reply.model_validate_json(line) if line.endswith(b"\n") else None
                    except ValidationError:
                        reply = None
                    if reply is None:
                        logger.info("%s: line %d is cut off; asking again from there", self._path, number + 1)
                        break
                    self._replies[reply.ask_id] = reply
                intact += len(line)
        return intact

    def has(self, ask_id: str) -> bool:
        """Whether the ask was answered; an error is no answer."""
        return ask_id in self._replies and not self._replies[ask_id].error

    def reply(self, ask_id: str) -> Reply | None:
        """The last reply to the ask, be it an error, or None."""
        return self._replies.get(ask_id)

    def save(self, reply: Reply) -> None:
        """Append the reply and hand it to the operating system: it survives the death of this process."""
        self._handle.write(reply.model_dump_json().encode() + b"\n")
        self._handle.flush()
        self._replies[reply.ask_id] = reply

    def __len__(self) -> int:
        return len(self._replies)

    def __enter__(self) -> "AnswerLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.close()
