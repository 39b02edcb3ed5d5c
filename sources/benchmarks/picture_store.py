"""Pictures kept on disk while a benchmark is read: those of one config until another config's row asks for them."""

import tempfile
from types import TracebackType
from typing import Self


class PictureStore:
    """Bytes by name in one temporary file; in memory are only their places."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self._places: dict[str, list[tuple[int, int]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, name: str, content: bytes) -> None:
        """Keep one more picture under a name."""
        self._file.seek(0, 2)
        self._places.setdefault(name, []).append((self._file.tell(), len(content)))
        self._file.write(content)

    def of(self, name: str) -> tuple[bytes, ...]:
        """The pictures of a name, in the order in which they came."""
        found = []
        for start, size in self._places.get(name, ()):
            self._file.seek(start)
            found.append(self._file.read(size))
        return tuple(found)

    @property
    def fewest(self) -> int:
        """Of the names that have any, the smallest number of pictures; 0 where nothing was kept."""
        return min(map(len, self._places.values()), default=0)
