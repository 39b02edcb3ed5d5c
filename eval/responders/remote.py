"""A model behind one or several OpenAI-compatible servers as a responder: checked first, then asked many at once."""

import base64
import hashlib
import io
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from urllib.parse import urlsplit

from pydantic import JsonValue

from eval.responders.chat import Dialect, plain_model, request_body
from eval.responders.load_balancer import Servers
from eval.responders.request_pool import Exchange
from eval.responders.server_check import check_server, goes_on
from schemas.protocols.responder import Ask, Completion, Decoding, Reply

_MAGIC = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"GIF8", "image/gif"), (b"RIFF", "image/webp"))

QUALITY = 90
"""Of the JPEG that a picture becomes when it is scaled down."""


class DataUris:
    """Remembers up to `capacity_mb` of addresses; the oldest go first. Not for several threads."""

    def __init__(self, *, side: int = 0, capacity_mb: int = 64) -> None:
        """`side`: pixels of the longer side to which larger pictures are scaled down; 0 sends all as they are."""
        self._side, self._capacity = side, capacity_mb * 2**20
        self.held = 0
        self._kept: OrderedDict[bytes, str] = OrderedDict()

    def of(self, content: bytes) -> str:
        """The address of an encoded picture. Raises OSError or ValueError for one that has to be scaled and is none."""
        found = self._kept.get(content)
        if found is None:
            found = data_uri(scaled(content, side=self._side) if self._side else content)
            self._kept[content] = found
            self.held += len(found) + len(content)
            while self.held > self._capacity and len(self._kept) > 1:
                gone, address = self._kept.popitem(last=False)
                self.held -= len(address) + len(gone)
        else:
            self._kept.move_to_end(content)
        return found


def scaled(content: bytes, *, side: int) -> bytes:
    """The picture with its longer side at most `side` pixels, as JPEG; the same bytes if it is small enough already."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(content)) as picture:
        if max(picture.size) <= side:
            return content
        upright = ImageOps.exif_transpose(picture).convert("RGB")
    upright.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    upright.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def data_uri(content: bytes) -> str:
    """An encoded picture as a data: address, its type read from its first bytes."""
    kind = next((mime for magic, mime in _MAGIC if content.startswith(magic)), "application/octet-stream")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


CHECK_TIMEOUT_S = 60.0
"""Longest wait for an answer to the check: a server may load its model at the first question."""


class RemoteResponder:
    """Asks servers that all have the same model. The key is read from OPENAI_API_KEY when asking starts."""

    def __init__(
        self,
        base_urls: Sequence[str],
        model: str,
        *,
        concurrency: int = 16,
        requests_per_minute: int = 0,
        timeout_s: float = 120.0,
        image_side: int = 0,
        retries: int = 5,
    ) -> None:
        """`concurrency` and `requests_per_minute` (0: unlimited) hold for each server; `image_side` as in DataUris."""
        self._base_urls, self._model = tuple(base_urls), model
        self._concurrency, self._requests_per_minute = concurrency, requests_per_minute
        self._timeout_s, self._retries = timeout_s, retries
        self._image_side, self._uris = image_side, DataUris(side=image_side)
        self._dialect = Dialect()
        self._checked: set[str] = set()
        self._answered_as = ""

    @property
    def identity(self) -> str:
        """`openai:<host>#<model>`, hosts sorted, with what is made of pictures and what parameters are refused; no port
        and no folder enters.
        """
        return server_identity(self._base_urls, self._model, image_side=self._image_side) + self._dialect.said

    @property
    def dialect(self) -> Dialect:
        """How the servers are spoken to, as far as they have been checked."""
        return self._dialect

    def check(self, *, images: bool, schemas: bool = False, decoding: Decoding | None = None) -> None:
        """Ask each server one small question, or a few, unless that has been done; see eval.responders.server_check.

        With `decoding` it is found out which of its parameters a server refuses; without, greedy ones are tried. Raises
        BadInput for a server that cannot be used, and where none answers. One that is down while another
        answers is passed over.
        """
        told = decoding or Decoding()
        further = {
            "images": images,
            "schemas": schemas,
            "sampled" if told.temperature > 0 else "greedy": True,
            "top_p": told.top_p < 1,
            "seed": told.temperature > 0 or told.seed != 0,
            "thinking": told.thinking,
        }
        wanted = {name for name, asked in further.items() if asked}
        if wanted <= self._checked:
            return
        found: list[Dialect] = []
        for number, url in enumerate(self._base_urls, start=1):
            dialect = check_server(
                url,
                self._model,
                images=images,
                schemas=schemas,
                timeout_s=min(self._timeout_s, CHECK_TIMEOUT_S),
                required=number == len(self._base_urls) and not found,
                decoding=decoding,
            )
            found += [dialect] if dialect is not None else []
        if found:
            self._dialect = replace(
                found[0],
                schemas=all(one.schemas for one in found),
                left_out=tuple(sorted({*self._dialect.left_out, *(name for one in found for name in one.left_out)})),
                stream=any(one.stream for one in (*found, self._dialect)),
                least=max(one.least for one in (*found, self._dialect)),
                quiet=any(one.quiet for one in (*found, self._dialect)),
            )
        self._checked |= wanted

    def samples(self) -> bool:
        """Whether every server takes a temperature. Raises BadInput as check does."""
        self.check(images=False, decoding=Decoding(temperature=1.0))
        return "temperature" not in self._dialect.left_out

    def goes_on(self) -> bool:
        """Whether every server goes on with an answer that is begun for its model. Raises BadInput as check does."""
        self.check(images=False)
        timeout_s = min(self._timeout_s, CHECK_TIMEOUT_S)
        return all(goes_on(url, self._model, dialect=self._dialect, timeout_s=timeout_s) for url in self._base_urls)

    def answer(self, asks: Iterable[Ask], decoding: Decoding) -> Iterator[Reply]:
        """One Reply per Ask, in order of arrival.

        Raises BadInput if the check finds a server that cannot be used, or a server refuses the key later on.
        429 makes a server be asked less at once, after its Retry-After; connections that fail take it out until it
        answers again; 408, 409, 5xx and answers that cannot be used are asked again. What stays refused becomes a
        reply with an error, and so does what another model answered than the first answer's, by the servers' words.
        """
        for found in self.complete(asks, decoding):
            self._answered_as = self._answered_as or found.model
            if found.model and found.model != self._answered_as:
                said = f"the server answered as {found.model}, and before as {self._answered_as}"
                yield Reply(ask_id=found.ask_id, text="", error=said)
                continue
            yield Reply(ask_id=found.ask_id, text=found.text, error=found.error, finish=found.finish)

    def complete(self, asks: Iterable[Ask], decoding: Decoding, *, schema: JsonValue = None) -> Iterator[Completion]:
        """As `answer`, with the model and token counts that the server states; see Completer."""
        queue = iter(asks)
        first = next(queue, None)
        if first is None:
            return
        # Seen beforehand, for a check of both takes less than one of each.
        self.check(images=first.image is not None, schemas=schema is not None, decoding=decoding)
        servers = Servers(
            self._base_urls,
            concurrency=self._concurrency,
            requests_per_minute=self._requests_per_minute,
            retries=self._retries,
        )

        def body(ask: Ask) -> bytes:
            uri = self._uris.of(ask.image) if ask.image is not None else None
            return request_body(ask, decoding, model=self._model, dialect=self._dialect, uri=uri, schema=schema)

        with Exchange(
            servers,
            body,
            window=2 * self._concurrency * len(self._base_urls),
            timeout_s=self._timeout_s,
            retries=self._retries,
        ) as exchange:
            yield from exchange.completions(self._drawn(chain((first,), queue)))

    def _drawn(self, asks: Iterable[Ask]) -> Iterator[Ask]:
        """The asks; before the first one with a picture it is settled that the servers take pictures."""
        for ask in asks:
            if ask.image is not None and "images" not in self._checked:
                self.check(images=True)
            yield ask


def served_model(base_urls: Sequence[str], model: str) -> str:
    """Which model is behind these addresses, told from every other one: with ports and its whole name.

    `openai:<host>:<port>,…#<model>`. No credentials and no query enter; a path other than /v1 does as a short digest,
    for it may hold a key. See model_name for names that are paths.
    """
    return f"openai:{','.join(sorted({_place(url) for url in base_urls}))}#{model_name(model)}"


def model_name(model: str) -> str:
    """A served model's name; of a path on the server's machine the last two parts and a short digest of the whole."""
    if not re.match(r"[/~\\]|\.{1,2}/|[A-Za-z]:[/\\]", model):
        return model
    parts = [part for part in re.split(r"[/\\]+", model) if part]
    return f"{'/'.join(parts[-2:])}~{_short_digest(model)}"


def _place(url: str) -> str:
    parts = urlsplit(url)
    host, path = parts.netloc.rpartition("@")[2].lower(), parts.path.rstrip("/")
    return host if path == "/v1" else f"{host}~{_short_digest(path)}"


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def server_identity(base_urls: Sequence[str], model: str, *, image_side: int = 0) -> str:
    """What a build's answers depend on, without what may differ between two runs of the same: ports, credentials,
    folders. An evaluation tells models apart by served_model instead.
    """
    hosts = ",".join(sorted({urlsplit(url).hostname or "" for url in base_urls}))
    return f"openai:{hosts}#{plain_model(model)}" + (f"@{image_side}px" if image_side else "")
