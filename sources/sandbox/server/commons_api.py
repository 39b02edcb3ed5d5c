"""Answers of the embedded world's Commons: imageinfo with licence metadata, category members, depicts search."""

import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from pydantic import JsonValue

from schemas.recipes.build_recipe import ALLOWED_THUMBNAIL_WIDTHS
from sources.sandbox.commons_files import LicenceKey, Picture
from sources.sandbox.file_bytes import PictureStore
from sources.sandbox.people.entity_json import Json
from sources.sandbox.server.wikidata_api import ApiError, Params
from sources.sandbox.world import World

UPLOAD_HOST, COMMONS_HOST = "upload.wikimedia.example", "commons.wikimedia.example"
TITLE_LIMIT, GENERATOR_LIMIT = 50, 500
CREATIVE_COMMONS = "https://creativecommons.org"
LICENCES: Mapping[LicenceKey, Mapping[str, str]] = {
    "by-sa": {
        "LicenseShortName": "CC BY-SA 4.0",
        "License": "cc-by-sa-4.0",
        "LicenseUrl": f"{CREATIVE_COMMONS}/licenses/by-sa/4.0",
        "UsageTerms": "Creative Commons Attribution-Share Alike 4.0",
        "AttributionRequired": "true",
        "Copyrighted": "True",
    },
    "by": {
        "LicenseShortName": "CC BY 4.0",
        "License": "cc-by-4.0",
        "LicenseUrl": f"{CREATIVE_COMMONS}/licenses/by/4.0",
        "UsageTerms": "Creative Commons Attribution 4.0",
        "AttributionRequired": "true",
        "Copyrighted": "True",
    },
    "zero": {
        "LicenseShortName": "CC0",
        "License": "cc0",
        "LicenseUrl": "http://creativecommons.org/publicdomain/zero/1.0/deed.en",
        "UsageTerms": "Creative Commons Zero, Public Domain Dedication",
        "AttributionRequired": "false",
        "Copyrighted": "True",
    },
    "public-domain": {
        "LicenseShortName": "Public domain",
        "License": "pd",
        "UsageTerms": "Public domain",
        "AttributionRequired": "false",
        "Copyrighted": "False",
    },
    "by-nc": {
        "LicenseShortName": "CC BY-NC 2.0",
        "License": "cc-by-nc-2.0",
        "LicenseUrl": f"{CREATIVE_COMMONS}/licenses/by-nc/2.0",
        "UsageTerms": "Creative Commons Attribution-NonCommercial 2.0",
        "AttributionRequired": "true",
        "Copyrighted": "True",
    },
    "none": {},
}
"""extmetadata of each licence; a file without licence has none of these keys."""


def _path(title: str) -> str:
    name = title.replace(" ", "_")
    token = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return f"{token[0]}/{token[:2]}/{quote(name, safe='')}"


def original_url(title: str) -> str:
    """Where the original lies, under the logical host."""
    return f"https://{UPLOAD_HOST}/wikipedia/commons/{_path(title)}"


def thumbnail_url(title: str, width: int) -> str:
    """Where the thumbnail of a width lies, under the logical host."""
    name = quote(title.replace(" ", "_"), safe="")
    return f"https://{UPLOAD_HOST}/wikipedia/commons/thumb/{_path(title)}/{width}px-{name}"


@dataclass(frozen=True)
class FileAnswer:
    """A file download: status, bytes, mime."""

    status: int
    content: bytes
    mime: str


def download(world: World, store: PictureStore, path: str) -> FileAnswer:
    """An original or a thumbnail by its path; 404 for what does not exist, 400 for a width that is not allowed."""
    original = re.fullmatch(r"/wikipedia/commons/./../([^/]+)", path)
    thumbnail = re.fullmatch(r"/wikipedia/commons/thumb/./../([^/]+)/(\d+)px-[^/]+", path)
    found = original or thumbnail
    title = unquote(found.group(1)).replace("_", " ") if found else ""
    if title not in world.gallery.pictures:
        return FileAnswer(404, b"File not found", "text/plain")
    mime = world.gallery.pictures[title].mime
    if thumbnail is None:
        return FileAnswer(200, store.content(title), mime)
    width = int(thumbnail.group(2))
    if width not in ALLOWED_THUMBNAIL_WIDTHS:
        return FileAnswer(400, b"Use thumbnail steps listed on https://w.wiki/GHai", "text/plain")
    if width >= store.measures(title).width:
        return FileAnswer(400, b"The requested width is not below the width of the source", "text/plain")
    try:
        return FileAnswer(200, store.thumbnail(title, width), "image/png" if mime == "image/gif" else mime)
    except OSError as error:
        return FileAnswer(500, f"Error generating thumbnail: {error}".encode(), "text/plain")


def _metadata(picture: Picture, categories: Sequence[str], wanted: Sequence[str]) -> Json:
    artist = html.escape(picture.artist)
    user = f"https://{COMMONS_HOST}/wiki/User:{quote(picture.artist.replace(' ', '_'))}"
    words = {
        "DateTime": picture.timestamp.replace("T", " ").removesuffix("Z"),
        "ObjectName": picture.title.rpartition(".")[0],
        "ImageDescription": html.escape(picture.description),
        "DateTimeOriginal": picture.timestamp[:10],
        "Artist": f'<a href="{user}" title="User:{artist}">{artist}</a>',
        "Credit": '<span class="int-own-work" lang="en">Own work</span>',
        "Categories": "|".join(categories),
        "Restrictions": picture.restrictions,
        **LICENCES[picture.licence],
    }
    return {
        key: {"value": value, "source": "commons-desc-page", "hidden": ""}
        for key, value in words.items()
        if not wanted or key in wanted
    }


class Commons:
    """The action API of one world's Commons."""

    def __init__(self, world: World, store: PictureStore) -> None:
        self._world, self._store = world, store
        self._categories: dict[str, list[str]] = {}
        for name, titles in world.gallery.categories.items():
            for title in titles:
                self._categories.setdefault(title, []).append(name)

    def query(self, params: Params) -> Json:
        """`action=query&prop=imageinfo` over titles, category members or a depicts search."""
        match params.get("generator"):
            case None:
                return self._by_titles(params)
            case "categorymembers":
                return self._by_category(params)
            case "search":
                return self._by_depicts(params)
            case other:
                raise ApiError("badvalue", f'Unrecognized value for parameter "generator": {other}.')

    def _by_titles(self, params: Params) -> Json:
        asked = list(dict.fromkeys(title for title in params.get("titles", "").split("|") if title))
        if len(asked) > TITLE_LIMIT:
            raise ApiError(
                "toomanyvalues",
                f'Too many values supplied for parameter "titles". The limit is {TITLE_LIMIT}.',
                {"limit": TITLE_LIMIT, "lowlimit": TITLE_LIMIT, "highlimit": GENERATOR_LIMIT},
            )
        normalized: list[JsonValue] = []
        titles: list[str] = []
        for title in asked:
            plain = _normal(title)
            if plain != title:
                normalized.append({"fromencoded": False, "from": title, "to": plain})
            titles.append(plain)
        pages: list[JsonValue] = [self._page(title, params) for title in dict.fromkeys(titles)]
        query: Json = {"normalized": normalized} if normalized else {}
        query["pages"] = pages
        return {"batchcomplete": True, "query": query}

    def _by_category(self, params: Params) -> Json:
        name = _normal(params.get("gcmtitle", "")).removeprefix("Category:")
        titles = sorted(self._world.gallery.categories.get(name, ()))
        start = int(params["gcmcontinue"].split("|")[1]) if "gcmcontinue" in params else 0
        limit = _limit(params.get("gcmlimit", "10"))
        answer = self._pages(titles[start : start + limit], params)
        if len(titles) > start + limit:
            answer["continue"] = {"gcmcontinue": f"file|{start + limit}", "continue": "gcmcontinue||"}
        return answer

    def _by_depicts(self, params: Params) -> Json:
        search = params.get("gsrsearch", "")
        found = re.search(r"haswbstatement:P180=(Q\d+)", search)
        titles = sorted(self._world.gallery.depicts.get(found.group(1), ())) if found else []
        if "filetype:bitmap" in search:
            titles = [title for title in titles if self._world.gallery.pictures[title].mime.startswith("image/")]
        start, limit = int(params.get("gsroffset", "0")), _limit(params.get("gsrlimit", "10"))
        answer = self._pages(titles[start : start + limit], params, first_index=start + 1)
        if len(titles) > start + limit:
            answer["continue"] = {"gsroffset": start + limit, "continue": "gsroffset||"}
        return answer

    def _pages(self, titles: Sequence[str], params: Params, *, first_index: int | None = None) -> Json:
        if not titles:
            return {"batchcomplete": True}
        pages = [self._page(f"File:{title}", params) for title in titles]
        if first_index is not None:
            for place, page in enumerate(pages):
                page["index"] = first_index + place
        pages.sort(key=lambda page: page["pageid"] if isinstance(page["pageid"], int) else 0)
        listed: list[JsonValue] = list(pages)
        return {"batchcomplete": True, "query": {"pages": listed}}

    def _page(self, full_title: str, params: Params) -> Json:
        title = full_title.removeprefix("File:")
        if re.search(r"[<>\[\]{}#]", full_title):
            reason = "The requested page title contains invalid characters."
            return {"title": full_title, "invalidreason": reason, "invalid": True}
        if title not in self._world.gallery.pictures:
            return {"ns": 6, "title": full_title, "missing": True, "imagerepository": ""}
        page: Json = {
            "pageid": self._world.gallery.pictures[title].page_id,
            "ns": 6,
            "title": full_title,
            "imagerepository": "local",
        }
        if "imageinfo" in params.get("prop", "").split("|"):
            page["imageinfo"] = [self._imageinfo(title, params)]
        return page

    def _imageinfo(self, title: str, params: Params) -> Json:
        picture, measures = self._world.gallery.pictures[title], self._store.measures(title)
        props = params.get("iiprop", "timestamp|user").split("|")
        groups: dict[str, Json] = {
            "timestamp": {"timestamp": picture.timestamp},
            "user": {"user": picture.artist},
            "size": {"size": measures.size, "width": measures.width, "height": measures.height},
            "url": self._urls(title, params.get("iiurlwidth", "")),
            "sha1": {"sha1": measures.sha1},
            "mime": {"mime": picture.mime},
            "mediatype": {"mediatype": "OFFICE" if picture.encoding == "pdf" else "BITMAP"},
        }
        info: Json = {}
        for name, group in groups.items():
            if name in props:
                info |= group
        if "extmetadata" in props:
            wanted = [key for key in params.get("iiextmetadatafilter", "").split("|") if key]
            info["extmetadata"] = _metadata(picture, self._categories.get(title, []), wanted)
        return info

    def _urls(self, title: str, width_text: str) -> Json:
        """URLs of a file; `thumburl` is the original where it is not wider than what was asked for."""
        picture, measures = self._world.gallery.pictures[title], self._store.measures(title)
        urls: Json = {}
        if width_text and picture.mime.startswith("image/"):
            width = int(width_text)
            larger = measures.width > width
            urls["thumburl"] = thumbnail_url(title, width) if larger else original_url(title)
            urls["thumbwidth"] = width if larger else measures.width
            urls["thumbheight"] = round(measures.height * width / measures.width) if larger else measures.height
        page = quote(f"File:{title}".replace(" ", "_"), safe=":")
        urls["url"] = original_url(title)
        urls["descriptionurl"] = f"https://{COMMONS_HOST}/wiki/{page}"
        urls["descriptionshorturl"] = f"https://{COMMONS_HOST}/w/index.php?curid={picture.page_id}"
        return urls


def _normal(title: str) -> str:
    """A title as MediaWiki normalises it: spaces for underscores, namespace and first letter in upper case."""
    space, colon, name = " ".join(title.replace("_", " ").split()).partition(":")
    if not colon:
        return space
    name = name.strip()
    return f"{space.strip().capitalize()}:{name[:1].upper()}{name[1:]}"


def _limit(value: str) -> int:
    return GENERATOR_LIMIT if value == "max" else max(1, min(int(value), GENERATOR_LIMIT))
