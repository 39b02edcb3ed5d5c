"""Wikidata over its action API and query service: entities in batches, people by name and by selection."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from schemas.matching.letters import fold_accents
from schemas.protocols.source import EVERYBODY, BrokenEntity, FetchProblem, PeopleFilter, PersonMatch
from schemas.records.entities import Entity, MissingEntity
from sources.http_client.client import PoliteClient
from sources.http_client.responses import BadAnswer
from sources.wikimedia.entity_parser import LANGUAGES, is_missing, parse_entity
from sources.wikimedia.redaction import without_contact
from sources.wikimedia.typed_json import as_int, as_list, as_object, as_text, folded, text_at

log = logging.getLogger(__name__)

PROPS = "info|labels|aliases|descriptions|claims|sitelinks"
"""What is asked of an entity, of wbgetentities."""
BATCH = 50
"""Ids a `wbgetentities` call may name."""
SEARCH_LIMIT = 50
SEARCHED = tuple(language for language in LANGUAGES if language != "mul")
"""Languages in which a name is looked for, one after the other; each falls back to English and `mul` by itself."""
PAGE = 500
"""Rows of one SPARQL page."""
BANDS = (200, 100, 50, 25, 12, 6, 3, 1, 0)
"""Least sitelinks, walked downwards: each query sorts only the people of one band, well within the time limit."""
MOST_SITELINKS = 1_000_000
ENTITY_ID = re.compile(r"^[QP][1-9]\d{0,9}$")
NO_SUCH = ("no-such-entity", "invalid-entity-id")
"""Error codes by which the API says that an id stands for nothing."""
_QUOTES = str.maketrans(dict.fromkeys("‘’‚‛ʼʻʿʾʹ`´′＇", "'") | dict.fromkeys("“”„‟«»″＂", '"'))
"""Apostrophes and quotation marks as a keyboard has them."""

PEOPLE_QUERY = """\
SELECT {distinct}?item ?sitelinks WHERE {{
  ?item wikibase:sitelinks ?sitelinks .
  hint:Prior hint:rangeSafe true .
  ?item wdt:P31 wd:Q5 .
{wanted}  BIND(xsd:integer(STRAFTER(STR(?item), "/entity/Q")) AS ?number)
  FILTER(?sitelinks >= {low} && ?sitelinks <= {high})
  FILTER(?sitelinks < {high} || ?number > {after})
}}
ORDER BY DESC(?sitelinks) ?number
LIMIT {limit}"""


def fetch_entities(
    client: PoliteClient, qids: Sequence[str], *, host: str, props: str = PROPS
) -> Iterator[Entity | MissingEntity | BrokenEntity]:
    """One result per id, in the order given; each id is asked for once per call, fifty at a time.

    Where the answer to a batch is unusable, its ids are asked for one by one, so that one bad entity costs no
    other. `props` are those of the API; what is not asked for is empty. Raises FetchProblem if the host cannot be
    reached.
    """
    for start in range(0, len(qids), BATCH):
        batch = qids[start : start + BATCH]
        found = _fetch_batch(client, list(dict.fromkeys(batch)), host=host, props=props)
        for qid in batch:
            yield found[qid]


def _fetch_batch(
    client: PoliteClient, qids: Sequence[str], *, host: str, props: str
) -> dict[str, Entity | MissingEntity | BrokenEntity]:
    found: dict[str, Entity | MissingEntity | BrokenEntity] = {
        qid: BrokenEntity(requested_id=qid, problem="is not an entity id") for qid in qids if not ENTITY_ID.match(qid)
    }
    asked = [qid for qid in qids if qid not in found]
    if not asked:
        return found
    params = {
        "action": "wbgetentities",
        "ids": "|".join(asked),
        "props": props,
        "languages": "|".join(LANGUAGES),
        "languagefallback": "1",
        "redirects": "yes",
    }
    try:
        answer = client.get_json(f"https://{host}/w/api.php", params, redact=without_contact)
        found.update(read_entities(answer, asked))
        left = [qid for qid in asked if qid not in found]
        problem = "the answer does not hold it"
    except (BadAnswer, ValueError) as error:
        problem = str(error)
        if len(asked) == 1 and isinstance(error, BadAnswer) and error.code in NO_SUCH:
            return {**found, asked[0]: MissingEntity(requested_id=asked[0])}
        left = asked
    if len(asked) == 1:
        return {**found, **{qid: BrokenEntity(requested_id=qid, problem=problem) for qid in left}}
    if left:
        log.warning("%d of %d entities are asked for one by one: %s", len(left), len(asked), problem)
    for qid in left:
        found.update(_fetch_batch(client, [qid], host=host, props=props))
    return found


def read_entities(
    answer: Mapping[str, JsonValue], requested: Sequence[str]
) -> dict[str, Entity | MissingEntity | BrokenEntity]:
    """The results that a `wbgetentities` answer holds, by requested id; ids that it does not hold are left out.

    Redirects are found under the requested id, under the target's id and by `redirects.from`.
    """
    raws: dict[str, dict[str, JsonValue]] = {}
    entities = answer.get("entities")
    listed = entities if isinstance(entities, list) else list(as_object(entities, "entities").values())
    keys: list[str] = [""] * len(listed) if isinstance(entities, list) else list(as_object(entities, "entities"))
    for key, raw in zip(keys, listed, strict=True):
        if not isinstance(raw, dict):
            raws.setdefault(key, {})
            continue
        redirect = raw.get("redirects")
        names = [key, raw.get("id"), redirect.get("from") if isinstance(redirect, dict) else None]
        for name in names:
            if isinstance(name, str) and name:
                raws.setdefault(name, raw)
    return {qid: _result(raws[qid], qid) for qid in requested if qid in raws}


def _result(raw: Mapping[str, JsonValue], requested_id: str) -> Entity | MissingEntity | BrokenEntity:
    if is_missing(raw):
        return MissingEntity(requested_id=requested_id)
    try:
        return parse_entity(raw, requested_id)
    except ValueError as error:
        return BrokenEntity(requested_id=requested_id, problem=str(error))


def same_name(first: str, second: str) -> bool:
    """Whether two names are the same but for case, white space, dashes, quotation marks and diacritics."""
    return name_key(first) == name_key(second)


def name_key(name: str) -> str:
    """A name without case, diacritics and ways of writing dashes, quotation marks and white space."""
    return folded(re.sub(r"[‐-―-]", " ", fold_accents(name.translate(_QUOTES)))).casefold()


def match_of(entity: Entity, name: str) -> PersonMatch:
    """An entity that is kept here as a search for the name finds it: by its label, or else by an alias."""
    return PersonMatch(
        qid=entity.qid,
        label=entity.label,
        description=entity.description,
        matched_alias=not same_name(entity.label, name),
    )


def search_people(client: PoliteClient, name: str, *, limit: int, host: str) -> list[PersonMatch]:
    """Items whose label or an alias is the name (but for case and diacritics), in the API's order, best first.

    The API looks in English and in what it falls back to; where that finds nobody, it is asked for the other Englishes
    too. Where there is none, whatever else the API offers, marked as `near`. Whether they are people is for the caller
    to see from their entities. Raises FetchProblem.
    """
    if not folded(name):
        return []
    offered: dict[str, PersonMatch] = {}
    for language in SEARCHED:
        for match in _search(client, name, language=language, limit=limit, host=host):
            if match.qid not in offered or offered[match.qid].near:
                offered[match.qid] = match
        found = [match for match in offered.values() if not match.near]
        if found:
            return found
    return list(offered.values())


def _search(client: PoliteClient, name: str, *, language: str, limit: int, host: str) -> list[PersonMatch]:
    params = {
        "action": "wbsearchentities",
        "search": folded(name.translate(_QUOTES)),
        "language": language,
        "uselang": language,
        "type": "item",
        "limit": str(min(limit, SEARCH_LIMIT)),
    }
    url = f"https://{host}/w/api.php"
    answer = client.get_json(url, params)
    try:
        hits = [as_object(hit, "search") for hit in as_list(answer.get("search"), "search")]
        return [_match(hit, name) for hit in hits]
    except ValueError as error:
        raise BadAnswer(url, f"the search's answer has another shape ({error})") from error


def _match(hit: Mapping[str, JsonValue], name: str) -> PersonMatch:
    qid = as_text(hit.get("id"), "search.id")
    match = as_object(hit.get("match"), "search.match")
    label = text_at(hit, "label", "search")
    texts = [text_at(match, "text", "search.match")]
    texts += [as_text(alias, "search.aliases") for alias in as_list(hit.get("aliases"), "search.aliases")]
    by_label = same_name(label, name)
    by_alias = not by_label and any(same_name(text, name) for text in texts)
    return PersonMatch(
        qid=qid,
        label=label,
        description=text_at(hit, "description", "search"),
        matched_alias=by_alias,
        near=not by_label and not by_alias,
    )


def select_people(
    client: PoliteClient, *, limit: int, min_sitelinks: int, host: str, wanted: PeopleFilter = EVERYBODY
) -> list[str]:
    """QIDs of humans with at least so many sitelinks, most sitelinks first, ties by QID number.

    `wanted` narrows it by what the query service knows; that somebody is too old to be living is for the caller to see.
    Pages by keyset on (sitelinks, QID number) within bands of sitelinks. Raises FetchProblem.
    """
    found: dict[str, None] = {}
    high, after = MOST_SITELINKS, 0
    for low in [band for band in BANDS if band > min_sitelinks] + [min_sitelinks]:
        while len(found) < limit:
            size = min(PAGE, limit - len(found))
            rows = _people_page(client, low=low, high=high, after=after, limit=size, host=host, wanted=wanted)
            known = len(found)
            found.update(dict.fromkeys(qid for qid, _ in rows))
            if len(rows) == size and len(found) == known:
                raise FetchProblem(f"https://{host}/sparql", "answers the same page again, so the paging cannot end")
            if rows:
                high, after = rows[-1][1], int(rows[-1][0][1:])
            if len(rows) < size:
                break
        if len(found) >= limit:
            break
    return list(found)[:limit]


def _lines_of(wanted: PeopleFilter) -> str:
    """The lines of the query that narrow it; "" for everybody."""
    lines = [
        f"VALUES ?{name} {{ {' '.join(f'wd:{qid}' for qid in qids)} }} ?item wdt:{property_id} ?{name} ."
        for name, property_id, qids in (
            ("occupation", "P106", wanted.occupations),
            ("country", "P27", wanted.countries),
        )
        if qids
    ]
    bounds = [f"YEAR(?born) >= {wanted.born_from}"] if wanted.born_from is not None else []
    bounds += [f"YEAR(?born) <= {wanted.born_to}"] if wanted.born_to is not None else []
    if bounds:
        lines.append(f"?item wdt:P569 ?born . FILTER({' && '.join(bounds)})")
    if wanted.living != "any":
        lines.append(f"FILTER {'NOT ' if wanted.living == 'living' else ''}EXISTS {{ ?item wdt:P570 ?died }}")
    return "".join(f"  {line}\n" for line in lines)


def _people_page(
    client: PoliteClient, *, low: int, high: int, after: int, limit: int, host: str, wanted: PeopleFilter
) -> list[tuple[str, int]]:
    url = f"https://{host}/sparql"
    lines, distinct = _lines_of(wanted), "" if wanted == EVERYBODY else "DISTINCT "
    query = PEOPLE_QUERY.format(low=low, high=high, after=after, limit=limit, wanted=lines, distinct=distinct)
    answer = client.get_json(url, {"format": "json", "query": query})
    try:
        rows = as_list(as_object(answer.get("results"), "results").get("bindings"), "results.bindings")
        return [_people_row(as_object(row, "results.bindings")) for row in rows]
    except ValueError as error:
        raise FetchProblem(url, f"the query's answer has another shape ({error})") from error


def _people_row(row: Mapping[str, JsonValue]) -> tuple[str, int]:
    address = as_text(as_object(row.get("item"), "item").get("value"), "item.value")
    qid = address.rsplit("/", 1)[-1]
    if not re.fullmatch(r"Q[1-9]\d*", qid):
        raise ValueError(f"item.value: {address[:60]!r} is no item")
    return qid, as_int(as_object(row.get("sitelinks"), "sitelinks").get("value"), "sitelinks.value")
