"""Bounded response body: what a server may send and how long it may take, so that an endless answer ends."""

import time
from collections.abc import AsyncIterator, Iterator

from httpx2 import AsyncByteStream, ReadError, Response, SyncByteStream

MOST_BYTES = 8 << 20
MOST_COMPRESSED_BYTES = 1 << 18
"""Of a compressed body, which may become a thousand times as long."""


class TooLong(ReadError):
    """The body is longer than any answer."""


class TooSlow(ReadError):
    """The body has not ended within the timeout."""


class BoundedStream(SyncByteStream, AsyncByteStream):
    """A live resource: the body of a response, read up to a number of bytes and for a time."""

    def __init__(self, response: Response, *, timeout_s: float) -> None:
        self._stream, self._request = response.stream, response.request
        self._left = MOST_COMPRESSED_BYTES if "Content-Encoding" in response.headers else MOST_BYTES
        self._until = time.monotonic() + timeout_s

    def _count(self, chunk: bytes) -> bytes:
        self._left -= len(chunk)
        if self._left < 0:
            raise TooLong("the body does not end", request=self._request)
        if time.monotonic() > self._until:
            raise TooSlow("the body takes too long", request=self._request)
        return chunk

    def __iter__(self) -> Iterator[bytes]:
        assert isinstance(self._stream, SyncByteStream)  # noqa: S101 - a blocking client has blocking streams
        for chunk in self._stream:
            yield self._count(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert isinstance(self._stream, AsyncByteStream)  # noqa: S101 - and an asynchronous one asynchronous ones
        async for chunk in self._stream:
            yield self._count(chunk)

    def close(self) -> None:
        assert isinstance(self._stream, SyncByteStream)  # noqa: S101
        self._stream.close()

    async def aclose(self) -> None:
        assert isinstance(self._stream, AsyncByteStream)  # noqa: S101
        await self._stream.aclose()
