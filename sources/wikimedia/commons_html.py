"""Plain text out of the HTML that Commons puts into captions, authors and credits."""

from html.parser import HTMLParser

from sources.wikimedia.typed_json import folded

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "cite", "code", "em", "font", "i", "q", "s", "small", "span", "strong", "sub", "sup"}
    | {"time", "tt", "u", "var", "wbr"}
)
_UNSEEN = frozenset({"script", "style", "head", "template"})


class _Text(HTMLParser):
    """Collects what a reader would see; hidden elements (`display:none`) and scripts are left out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _INLINE:
            self.parts.append(" ")
        if tag in _VOID:
            return
        style = next((value or "" for name, value in attrs if name == "style"), "")
        if self._hidden or tag in _UNSEEN or "display:none" in style.replace(" ", "").lower():
            self._hidden += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _INLINE:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag not in _INLINE:
            self.parts.append(" ")
        if self._hidden and tag not in _VOID:
            self._hidden -= 1

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def plain_text(html: str) -> str:
    """The visible text of an HTML fragment, character references resolved and white space folded."""
    if "<" not in html and "&" not in html:
        return folded(html)
    parser = _Text()
    parser.feed(html)
    parser.close()
    return folded("".join(parser.parts))
