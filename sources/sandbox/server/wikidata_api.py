"""Answers of the embedded world's Wikidata: entities, search by name, and the query service's selection of people."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

from pydantic import JsonValue

from schemas.records.entities import TimeValue
from sources.sandbox.people.catalogue import HUMAN
from sources.sandbox.people.entities import Claim, Draft
from sources.sandbox.people.entity_json import ENTITY_URI, Json
from sources.sandbox.people.roster import EXTRA
from sources.sandbox.world import World

Params = Mapping[str, str]

ID_LIMIT = 50
INFO = ("pageid", "ns", "title", "lastrevid", "modified")
WORD_PROPS = ("labels", "descriptions", "aliases")
ENTITY_ID = re.compile(r"^[QP][1-9]\d{0,9}$")


class ApiError(Exception):
    """An error that the action API answers with HTTP 200: a code, a sentence, further keys."""

    def __init__(self, code: str, info: str, extra: Json | None = None) -> None:
        self.code, self.info, self.extra = code, info, extra or {}
        super().__init__(f"{code}: {info}")


class MalformedQuery(Exception):
    """A SPARQL text that the embedded query service does not understand."""


def _multi(value: str, name: str, *, limit: int = ID_LIMIT) -> list[str]:
    values = [part for part in value.split("|") if part]
    if len(values) > limit:
        raise ApiError(
            "toomanyvalues",
            f'Too many values supplied for parameter "{name}". The limit is {limit}.',
            {"limit": limit, "lowlimit": limit, "highlimit": 500},
        )
    return values


def _in_languages(found: Json, languages: Sequence[str], *, fallback: bool) -> Json:
    """Words of an entity in the languages asked for; where one lacks, the fallback gives the `mul` or English one."""
    chosen: Json = {}
    for language in languages:
        if language in found:
            chosen[language] = found[language]
        elif fallback:
            substitute = next((code for code in ("mul", "en") if code in found), None)
            if substitute is not None:
                chosen[language] = found[substitute]
    return chosen


def _projected(entity: Json, props: Sequence[str], languages: Sequence[str], *, fallback: bool) -> Json:
    kept: Json = {key: entity[key] for key in INFO if "info" in props}
    kept["type"], kept["id"] = entity["type"], entity["id"]
    if "datatype" in entity and "datatype" in props:
        kept["datatype"] = entity["datatype"]
    for key in WORD_PROPS:
        words = entity[key]
        if key in props and isinstance(words, dict):
            # Aliases have no fallback in wbgetentities.
            asked = fallback and key != "aliases"
            kept[key] = _in_languages(words, languages, fallback=asked) if languages else words
    for key in ("claims", "sitelinks"):
        if key in props and key in entity:
            kept[key] = entity[key]
    return kept


def get_entities(world: World, params: Params) -> Json:
    """`action=wbgetentities`: up to 50 ids; the key of a redirect's answer is the id that was asked for."""
    ids = _multi(params.get("ids", ""), "ids")
    if not ids:
        raise ApiError("param-missing", 'Either provide the item "ids" or pairs of "sites" and "titles".')
    props = params.get("props", "info|sitelinks|aliases|labels|descriptions|claims|datatype").split("|")
    languages = [code for code in params.get("languages", "").split("|") if code]
    entities: Json = {}
    for asked in ids:
        if not ENTITY_ID.match(asked):
            raise ApiError("no-such-entity", f'Could not find an entity with the ID "{asked}".', {"id": asked})
        target = world.redirects.get(asked, asked) if params.get("redirects", "yes") == "yes" else asked
        entity = world.entity_json(target)
        if entity is None:
            entities[asked] = {"id": asked, "missing": ""}
            continue
        answer = _projected(entity, props, languages, fallback="languagefallback" in params)
        if target != asked:
            answer["redirects"] = {"from": asked, "to": target}
        entities[asked] = answer
    return {"entities": entities, "success": 1}


def _matches(draft: Draft, wanted: str) -> tuple[int, str, str] | None:
    """Rank (0 is best), kind and text of the best match of a casefolded prefix, or None."""
    options = [("label", text) for text in (draft.label, *draft.labels.values()) if text]
    options += [("alias", alias) for alias in draft.aliases]
    best: tuple[int, str, str] | None = None
    for kind, text in options:
        folded = text.casefold()
        if folded.startswith(wanted):
            rank = (0 if folded == wanted else 2) + (kind == "alias")
            if best is None or rank < best[0]:
                best = (rank, kind, text)
    return best


@dataclass(frozen=True)
class WikidataIndex:
    """What search and query service look things up in."""

    world: World

    @cached_property
    def humans(self) -> tuple[tuple[int, int], ...]:
        """Sitelinks and QID number of everybody whom the query service knows, most sitelinks first."""
        found = (
            (draft.sitelinks, int(qid[1:]))
            for qid, draft in self.world.drafts.items()
            if HUMAN in draft.items("P31") and qid not in EXTRA
        )
        return tuple(sorted(found, key=lambda row: (-row[0], row[1])))

    def search(self, params: Params) -> Json:
        """`action=wbsearchentities`: items whose label or alias begins with the text, exact matches first."""
        text = params.get("search", "").strip()
        if not text:
            raise ApiError("missingparam", 'The "search" parameter must be set.')
        hits = [
            (match[0], -draft.sitelinks, int(draft.qid[1:]), draft, match)
            for draft in self.world.drafts.values()
            if (match := _matches(draft, text.casefold())) is not None
        ]
        hits.sort(key=lambda hit: hit[:3])
        start, limit = int(params.get("continue", "0")), min(int(params.get("limit", "7")), 50)
        page = hits[start : start + limit]
        answer: Json = {
            "searchinfo": {"search": text},
            "search": [_hit(draft, kind, matched) for *_, draft, (_, kind, matched) in page],
            "success": 1,
        }
        if len(hits) > start + limit:
            answer["search-continue"] = start + limit
        return answer

    def _is_wanted(self, number: int, query: str) -> bool:
        draft = self.world.drafts[f"Q{number}"]
        for property_id in ("P106", "P27"):
            values = re.search(r"VALUES \?(\w+) { ([^}]*) } \?item wdt:" + property_id, query)
            if values and not set(re.findall(r"wd:(Q\d+)", values[2])) & set(draft.items(property_id)):
                return False
        born = next((year for claim in draft.claims if (year := _year(claim, "P569")) is not None), None)
        for sign in (">=", "<="):
            bound = re.search(rf"YEAR\(\?born\) {sign} (-?\d+)", query)
            if bound and (born is None or (born < int(bound[1]) if sign == ">=" else born > int(bound[1]))):
                return False
        died = any(claim.property_id == "P570" and claim.snak != "novalue" for claim in draft.claims)
        return not ("EXISTS { ?item wdt:P570" in query and died == ("NOT EXISTS" in query))

    def pageviews(self, title: str) -> Json | None:
        """Twelve months of an article's views, drawn from world and title; None for an article that does not exist."""
        if title not in self._articles:
            return None
        rng = Random(f"{self.world.identity}:views:{title}")
        months: list[JsonValue] = [
            {"project": "en.wikipedia", "article": title.replace(" ", "_"), "views": rng.randrange(100, 100_000)}
            for _ in range(12)
        ]
        return {"items": months}

    @cached_property
    def _articles(self) -> frozenset[str]:
        return frozenset(draft.label for draft in self.world.drafts.values() if draft.sitelinks)

    def select(self, query: str) -> Json:
        """The query service's answer to the SELECT that sources/wikimedia/wikidata.py sends, narrowed or not.

        Humans (wdt:P31 wd:Q5) with LOW <= sitelinks <= HIGH, at sitelinks == HIGH only those whose QID number is
        above AFTER, by falling sitelinks and rising QID number, at most LIMIT. Raises MalformedQuery for anything
        that does not have these parts.
        """
        folded = " ".join(query.split())
        if "wdt:P31 wd:Q5" not in folded or "ORDER BY DESC(?sitelinks) ?number" not in folded:
            raise MalformedQuery("only the selection of people by sitelinks is understood")
        patterns = (r"\?sitelinks >= (\d+)", r"\?sitelinks <= (\d+)", r"\?number > (\d+)", r"LIMIT (\d+)")
        numbers = [re.search(pattern, folded) for pattern in patterns]
        low, high, after, limit = (int(found.group(1)) if found else -1 for found in numbers)
        if min(low, high, after, limit) < 0:
            raise MalformedQuery("a bound on ?sitelinks, ?number or LIMIT is missing")
        bindings = [
            _binding(number, sitelinks)
            for sitelinks, number in self.humans
            if low <= sitelinks <= high and (sitelinks < high or number > after) and self._is_wanted(number, folded)
        ]
        rows: list[JsonValue] = list(bindings[:limit])
        return {"head": {"vars": ["item", "sitelinks"]}, "results": {"bindings": rows}}


def _year(claim: Claim, property_id: str) -> int | None:
    return claim.value.year if claim.property_id == property_id and isinstance(claim.value, TimeValue) else None


def _binding(number: int, sitelinks: int) -> Json:
    integer = "http://www.w3.org/2001/XMLSchema#integer"
    return {
        "item": {"type": "uri", "value": f"{ENTITY_URI}Q{number}"},
        "sitelinks": {"datatype": integer, "type": "literal", "value": str(sitelinks)},
    }


def _hit(draft: Draft, kind: str, matched: str) -> Json:
    found: Json = {
        "id": draft.qid,
        "title": draft.qid,
        "pageid": int(draft.qid[1:]),
        "concepturi": ENTITY_URI + draft.qid,
        "repository": "wikidata",
        "url": f"//www.wikidata.example/wiki/{draft.qid}",
        "display": {"label": {"value": draft.label, "language": "en"}},
        "match": {"type": kind, "language": "en", "text": matched},
    }
    if draft.label:
        found["label"] = draft.label
    if draft.description:
        found["description"] = draft.description
    if kind == "alias":
        found["aliases"] = [matched]
    return found
