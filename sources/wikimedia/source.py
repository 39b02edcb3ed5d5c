"""A Source over Wikidata, Commons and the query service, with pageviews; the embedded world answers in the same
shapes.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from schemas.protocols.source import EVERYBODY, BrokenEntity, CommonsFile, PeopleFilter, PersonMatch
from schemas.records.build_rows import Subject
from schemas.records.entities import Entity, MissingEntity
from sources.http_client.client import PoliteClient
from sources.http_client.responses import BadAnswer
from sources.wikimedia.commons import files_by_title, files_depicting, files_in_category
from sources.wikimedia.typed_json import as_int, as_list, as_object
from sources.wikimedia.wikidata import SEARCH_LIMIT, fetch_entities, search_people, select_people


def yearly_pageviews(client: PoliteClient, title: str, *, year: int, host: str) -> int:
    """Views of an English Wikipedia article by people, summed over the months of a year; 0 where nothing was counted.

    Raises FetchProblem.
    """
    article = quote(title.replace(" ", "_"), safe="")
    span = f"{year}010100/{year}123100"
    url = f"https://{host}/api/rest_v1/metrics/pageviews/per-article/en.wikipedia/all-access/user/{article}/monthly/{span}"
    try:
        answer = client.get_json(url, {})
        months = [as_object(month, "items") for month in as_list(answer.get("items"), "items")]
        return sum(as_int(month.get("views"), "items.views") for month in months)
    except BadAnswer as error:
        if error.code == "404":
            return 0
        raise
    except ValueError as error:
        raise BadAnswer(url, f"the answer has another shape ({error})") from error


WIKIDATA_HOST = "www.wikidata.org"

COMMONS_HOST = "commons.wikimedia.org"

QUERY_HOST = "query.wikidata.org"

PAGEVIEWS_HOST = "wikimedia.org"

FILE_BYTES = 100_000_000
"""Largest picture file that is fetched."""


class WikimediaSource:
    """Implements schemas.protocols.source.Source over live APIs, or over stand-ins that the client routes to.

    `identity` goes into artifact keys; by default it names the Wikidata host. `width` is the thumbnail width.
    """

    def __init__(
        self,
        client: PoliteClient,
        *,
        width: int,
        wikidata_host: str = WIKIDATA_HOST,
        commons_host: str = COMMONS_HOST,
        query_host: str = QUERY_HOST,
        pageviews_host: str = PAGEVIEWS_HOST,
        identity: str | None = None,
    ) -> None:
        self._client, self._width = client, width
        self._wikidata_host, self._commons_host, self._query_host = wikidata_host, commons_host, query_host
        self._pageviews_host = pageviews_host
        self._identity = identity or f"wikidata:{wikidata_host}"

    @property
    def identity(self) -> str:
        """Which world or which API this is."""
        return self._identity

    def entities(self, qids: Sequence[str]) -> Iterator[Entity | MissingEntity | BrokenEntity]:
        """One result per id, in the order given; raises FetchProblem if the host cannot be reached."""
        return fetch_entities(self._client, qids, host=self._wikidata_host)

    def leads(self, qids: Sequence[str]) -> Iterator[Entity | MissingEntity | BrokenEntity]:
        """Where ids lead now: as `entities`, but nothing else of them is asked for, a hundredth of the bytes."""
        return fetch_entities(self._client, qids, host=self._wikidata_host, props="info")

    def search(self, name: str) -> list[PersonMatch]:
        """Entities whose label or alias is the name, best first."""
        return search_people(self._client, name, limit=SEARCH_LIMIT, host=self._wikidata_host)

    def people(self, *, limit: int, min_sitelinks: int, wanted: PeopleFilter = EVERYBODY) -> list[str]:
        """QIDs of humans, most sitelinks first, ties by QID number."""
        return select_people(
            self._client, limit=limit, min_sitelinks=min_sitelinks, host=self._query_host, wanted=wanted
        )

    def pageviews(self, title: str, *, year: int) -> int:
        """How often people (no robots) opened an English Wikipedia article in a year."""
        return yearly_pageviews(self._client, title, year=year, host=self._pageviews_host)

    def files(self, subject: Subject, *, limit: int) -> tuple[list[CommonsFile], list[str]]:
        """Portraits, then the category's files, then files that depict the subject, until there are `limit`.

        No title comes twice. The second list has titles that Commons has no usable file page for.
        """
        portraits, missing = files_by_title(
            self._client, subject.portrait_titles, width=self._width, host=self._commons_host
        )
        found = _joined(portraits, [])
        absent = dict.fromkeys(missing)
        if subject.commons_category and len(found) < limit:
            files, missing = files_in_category(
                self._client, subject.commons_category, limit=limit, width=self._width, host=self._commons_host
            )
            found = _joined(portraits, files)
            absent.update(dict.fromkeys(missing))
        if len(found) < limit:
            files, missing = files_depicting(
                self._client, subject.qid, limit=limit, width=self._width, host=self._commons_host
            )
            found = _joined(list(found.values()), files)
            absent.update(dict.fromkeys(missing))
        return list(found.values())[:limit], list(absent)

    def download(self, file: CommonsFile) -> bytes:
        """The thumbnail's bytes, or the original's where there is no thumbnail; raises FetchProblem."""
        return self._client.get_bytes(file.thumb_url or file.source_url, max_bytes=FILE_BYTES)


def _joined(first: Sequence[CommonsFile], then: Sequence[CommonsFile]) -> dict[str, CommonsFile]:
    """Both lists in order, the first occurrence of each title."""
    found: dict[str, CommonsFile] = {}
    for file in (*first, *then):
        found.setdefault(file.title, file)
    return found
