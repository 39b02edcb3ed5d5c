"""A real Chromium, asked for a page as it stands after its scripts have run. One short process a page, no driver."""

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

from tests.servers.waiting import patient

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
WHY_NOT = "no Chromium on this machine (apt-get install chromium)"


def page_after_scripts(file: Path, route: str = "", *, home: Path) -> str:
    """The DOM of a page from disk as HTML. `home` holds the browser's profile."""
    words = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        f"--user-data-dir={home}", "--window-size=1280,900", "--virtual-time-budget=8000",
        "--dump-dom", f"{file.as_uri()}{route}",
    ]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, timeout=patient(300), check=False,
                          env={**os.environ, "HOME": str(home)})  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


class Seen(HTMLParser):
    """What a reader has before them: the text of all that is not hidden, script or style, and every element."""

    VOID = frozenset({"img", "input", "meta", "br", "link", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[bool] = []
        self._words: list[str] = []
        self.feed(page)
        self.text = re.sub(r"\s+", " ", " ".join(self._words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag in ("script", "style", "title") or "hidden" in dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self._open):
            self._words.append(data)
