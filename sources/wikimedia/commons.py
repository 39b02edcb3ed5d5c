"""Wikimedia Commons over its action API: pictures by title, of a category and by what they depict, with licences."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import JsonValue

from schemas.protocols.source import CommonsFile
from schemas.records.build_rows import Licence
from sources.http_client.client import PoliteClient
from sources.http_client.responses import BadAnswer
from sources.wikimedia.commons_html import plain_text
from sources.wikimedia.typed_json import as_list, as_object, as_text, folded, int_at, text_at

log = logging.getLogger(__name__)

BATCH = 50
"""Titles that one call may name, and files that one page of a category brings."""
TITLE_BYTES = 4000
"""Of all titles of a call, so that its URL stays below what servers accept."""
IMAGEINFO = {
    "action": "query",
    "prop": "imageinfo",
    "iiprop": "url|size|mime|mediatype|sha1|timestamp|user|extmetadata",
    "iiextmetadatafilter": "LicenseShortName|License|LicenseUrl|UsageTerms|Artist|Credit|AttributionRequired"
    "|Attribution|Copyrighted|Restrictions|NonFree|ImageDescription|DateTimeOriginal|Categories",
}
SCREEN_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
"""Types whose originals can be used as they are; others are wanted as the rendering that imageinfo names."""
_PAGE_QUERY = frozenset({"title", "curid", "oldid", "id"})
NO_TITLE = frozenset("|#<>[]{}\n\t")
BAD_TITLE_CODES = ("invalidcategory", "gcminvalidcategory", "invalidtitle", "gcminvalidtitle")

Origin = Literal["portrait", "category", "depicts"]


def parse_licence(extmetadata: Mapping[str, JsonValue]) -> Licence:
    """Licence and attribution of imageinfo's `extmetadata`, HTML stripped; what is absent is "". Raises ValueError."""

    def text(key: str) -> str:
        return plain_text(_metadata(extmetadata, key))

    return Licence(
        short_name=text("LicenseShortName"),
        code=text("License"),
        url=_https(text("LicenseUrl")),
        usage_terms=text("UsageTerms"),
        artist=text("Artist"),
        credit=text("Credit"),
        attribution=text("Attribution"),
        attribution_required=_is_true(text("AttributionRequired")),
        restrictions=text("Restrictions"),
        non_free=_is_true(text("NonFree")),
    )


def parse_file(page: Mapping[str, JsonValue], origin: Origin, *, width: int) -> CommonsFile | None:
    """The file that a page of an imageinfo answer describes, or None if the page has no file.

    `width` is the thumbnail width that was asked for. Raises ValueError, naming the path, for another shape.
    """
    infos = as_list(page.get("imageinfo"), "imageinfo")
    if not infos:
        return None
    info = as_object(infos[0], "imageinfo[0]")
    extmetadata = as_object(info.get("extmetadata"), "extmetadata")
    source_url = _without_query(as_text(info.get("url"), "imageinfo[0].url"))
    thumb_url = _without_query(text_at(info, "thumburl", "imageinfo[0]"))
    mime = text_at(info, "mime", "imageinfo[0]")
    original_width = int_at(info, "width", "imageinfo[0]")
    if thumb_url == source_url or (original_width <= width and mime in SCREEN_TYPES):
        thumb_url = ""
    return CommonsFile(
        title=file_title(as_text(page.get("title"), "title")),
        origin=origin,
        page_id=int_at(page, "pageid", "page"),
        source_url=source_url,
        thumb_url=thumb_url,
        description_url=_https(text_at(info, "descriptionurl", "imageinfo[0]")),
        description=plain_text(_metadata(extmetadata, "ImageDescription")),
        width=original_width,
        height=int_at(info, "height", "imageinfo[0]"),
        mime=mime,
        sha1=text_at(info, "sha1", "imageinfo[0]"),
        timestamp=text_at(info, "timestamp", "imageinfo[0]"),
        licence=parse_licence(extmetadata),
    )


def file_title(title: str) -> str:
    """A file's title in its normal form: no namespace, spaces for underscores, first letter upper case."""
    name = folded(title.replace("_", " "))
    if name[:5].lower() == "file:":
        name = name[5:].strip()
    return name[:1].upper() + name[1:]


def _metadata(extmetadata: Mapping[str, JsonValue], key: str) -> str:
    value = as_object(extmetadata.get(key), f"extmetadata.{key}").get("value")
    if isinstance(value, dict):  # Several languages, where the server sends them unasked.
        value = value.get("en") or next((text for name, text in sorted(value.items()) if name != "_type"), "")
    if value is None or isinstance(value, bool):
        return str(value).lower() if value else ""
    return as_text(value, f"extmetadata.{key}.value")


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "yes", "1")


def _https(url: str) -> str:
    """The address with its scheme, without fragment and tracking: of its query, only what names a page."""
    split = urlsplit(f"https:{url}" if url.startswith("//") else url)
    query = urlencode([(name, value) for name, value in parse_qsl(split.query) if name in _PAGE_QUERY])
    return urlunsplit(split._replace(query=query, fragment=""))


def _without_query(url: str) -> str:
    return urlunsplit(urlsplit(_https(url))._replace(query=""))


def files_by_title(
    client: PoliteClient, titles: Sequence[str], *, width: int, host: str
) -> tuple[list[CommonsFile], list[str]]:
    """The files of these titles in their order, and the titles (as given) that Commons has no file for."""
    found: list[CommonsFile] = []
    missing: list[str] = []
    names = list(dict.fromkeys(titles))
    usable = [name for name in names if name and not NO_TITLE & set(name) and len(name.encode()) <= 240]
    by_title: dict[str, CommonsFile] = {}
    for batch in _title_batches(usable):
        params = {"titles": "|".join(f"File:{file_title(name)}" for name in batch), "redirects": "1"}
        by_title.update(_named_files(client, params, width=width, host=host))
    for name in names:
        file = by_title.get(file_title(name))
        if file is None:
            missing.append(name)
        elif file not in found:
            found.append(file)
    return found, missing


def _title_batches(titles: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for title in titles:
        length = 3 * len(title.encode())  # Percent-encoded at worst.
        if batch and (len(batch) == BATCH or size + length > TITLE_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(title)
        size += length
    if batch:
        yield batch


def _named_files(client: PoliteClient, params: Mapping[str, str], *, width: int, host: str) -> dict[str, CommonsFile]:
    """Files by every title under which they were asked for: their own, and those of moved files."""
    pages, moves = next(_page_batches(client, params, width=width, host=host), ([], {}))
    own = {file.title: file for page in pages if (file := _file(page, "portrait", width=width)) is not None}
    found = dict(own)
    for asked in moves:
        target = asked
        for _ in range(3):  # Normalised, then redirected; a redirect to a redirect is not followed further.
            target = moves.get(target, target)
        if target in own:
            found[asked] = own[target]
    return found


def files_in_category(
    client: PoliteClient, category: str, *, limit: int, width: int, host: str
) -> tuple[list[CommonsFile], list[str]]:
    """Files of a Commons category (not of its subcategories), at most `limit`, in the category's order.

    The second list has the titles of pages that have no file or could not be parsed.
    """
    name = folded(category.replace("_", " "))
    if not name or NO_TITLE & set(name):
        log.warning("%r is no category", category[:60])
        return [], []
    params = {
        "generator": "categorymembers",
        "gcmtitle": f"Category:{name}",
        "gcmtype": "file",
        "gcmlimit": str(BATCH),
    }
    try:
        return _generated(client, params, "category", limit=limit, width=width, host=host)
    except BadAnswer as error:
        if error.code not in BAD_TITLE_CODES:
            raise
        log.warning("%s", error)
        return [], []


def files_depicting(
    client: PoliteClient, qid: str, *, limit: int, width: int, host: str
) -> tuple[list[CommonsFile], list[str]]:
    """Files whose structured data say that they depict (P180) the item, at most `limit`, in the search's order.

    The second list has the titles of pages that have no file or could not be parsed.
    """
    params = {
        "generator": "search",
        "gsrnamespace": "6",
        "gsrsearch": f"haswbstatement:P180={qid} filetype:bitmap",
        "gsrlimit": str(BATCH),
    }
    return _generated(client, params, "depicts", limit=limit, width=width, host=host)


def _generated(
    client: PoliteClient, params: Mapping[str, str], origin: Origin, *, limit: int, width: int, host: str
) -> tuple[list[CommonsFile], list[str]]:
    found: dict[str, CommonsFile] = {}
    missing: dict[str, None] = {}
    for pages, _ in _page_batches(client, params, width=width, host=host):
        for page in sorted(pages, key=lambda page: (_place(page), str(page.get("title", "")))):
            file = _file(page, origin, width=width)
            if file is None:
                missing[file_title(str(page.get("title", "")))] = None
            elif len(found) < limit:
                found.setdefault(file.title, file)
        if len(found) >= limit:
            break
    return list(found.values()), list(missing)


def _place(page: Mapping[str, JsonValue]) -> int:
    index = page.get("index")
    return index if isinstance(index, int) else 0


def _file(page: Mapping[str, JsonValue], origin: Origin, *, width: int) -> CommonsFile | None:
    try:
        return parse_file(page, origin, width=width)
    except ValueError as error:
        log.warning("%s on Commons: %s", str(page.get("title"))[:80], error)
        return None


def _page_batches(
    client: PoliteClient, params: Mapping[str, str], *, width: int, host: str
) -> Iterator[tuple[list[dict[str, JsonValue]], dict[str, str]]]:
    """Batches of pages with their imageinfo, and the titles that were normalised or redirected ({from: to}).

    A batch that the server cut because it grew too large is completed by its `continue` before it is handed out.
    """
    url = f"https://{host}/w/api.php"
    asked = {**IMAGEINFO, "iiurlwidth": str(width), **params}
    more: dict[str, str] = {}
    seen: set[tuple[tuple[str, str], ...]] = set()
    pages: dict[str, dict[str, JsonValue]] = {}
    moves: dict[str, str] = {}
    while True:
        answer = client.get_json(url, {**asked, **more})
        try:
            query = as_object(answer.get("query"), "query")
            _merge_pages(pages, query)
            for part in ("normalized", "redirects"):
                for move in as_list(query.get(part), part):
                    pair = as_object(move, part)
                    moves[file_title(as_text(pair.get("from"), part))] = file_title(as_text(pair.get("to"), part))
            following = {
                key: as_text(value, key) for key, value in as_object(answer.get("continue"), "continue").items()
            }
        except ValueError as error:
            raise BadAnswer(url, f"the answer has another shape ({error})") from error
        complete = all("imageinfo" in page or "missing" in page or "invalid" in page for page in pages.values())
        moved_on = any(key.startswith(("gcm", "gsr")) and more.get(key) != value for key, value in following.items())
        if complete or moved_on or not following:
            yield list(pages.values()), moves
            pages, moves = {}, {}
            if not moved_on:
                return
        state = tuple(sorted(following.items()))
        if state in seen:
            raise BadAnswer(url, "continues where it was before, so the paging cannot end")
        seen.add(state)
        more = following


def _merge_pages(pages: dict[str, dict[str, JsonValue]], query: Mapping[str, JsonValue]) -> None:
    found = query.get("pages")
    for raw in found if isinstance(found, list) else list(as_object(found, "query.pages").values()):
        page = as_object(raw, "query.pages")
        title = as_text(page.get("title"), "query.pages.title")
        pages[title] = {**pages.get(title, {}), **page}
