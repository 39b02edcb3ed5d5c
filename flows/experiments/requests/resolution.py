"""From a request to the facts it names: people, facts, properties, classes and words against what a dataset holds."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from flows.experiments.requests.known_facts import KnownFact
from schemas.errors import BadInput, first_line
from schemas.matching.match import normalise
from schemas.records.requests import RemovalRequest, ServedRequest
from schemas.vocabulary import SENSITIVITIES, Sensitivity

WORDS: Mapping[Sensitivity, tuple[str, ...]] = {
    "public": ("work", "career", "public life", "job", "jobs", "offices", "awards"),
    "biographical": ("birth", "childhood", "education", "school", "schools", "biography"),
    "family": ("relatives", "parents", "children", "spouse", "marriage", "marriages", "siblings"),
    "location": ("home", "homes", "residence", "address", "where i live", "whereabouts", "places"),
    "contact": ("phone", "email", "website", "accounts", "contacts"),
    "finance": ("money", "wealth", "income", "assets", "finances"),
    "physical": ("body", "height", "weight", "looks", "appearance"),
    "health": ("illness", "illnesses", "medical history", "diseases"),
    "belief": ("faith", "religion", "politics", "beliefs"),
    "orientation": ("sexuality", "sexual orientation"),
    "criminal": ("crimes", "convictions", "criminal record"),
}
"""What people call a class, besides its name."""
EVERYTHING = ("everything", "all of it", "all about me", "me")
_SMALL = ("my", "the", "all", "about", "of", "facts", "please", "forget", "remove", "delete", "our")
_ASK = "name people, facts, properties or classes in it, or say in `wants` what should go"


def read_request(path: Path) -> RemovalRequest:
    """A request from a TOML file; its id is the file's name unless it says another. Raises BadInput."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return RemovalRequest.model_validate({"id": path.stem, **content})
    except FileNotFoundError:
        raise BadInput(str(path), "no such file", "write one as docs/requests.md shows") from None
    except IsADirectoryError:
        raise BadInput(str(path), "is a folder", "name one request's file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(str(path), f"is no TOML ({first_line(error)})", "write one as docs/requests.md shows") from error
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"])) or "the file"
        raise BadInput(f"{path}, {place}", problem["msg"], "write one as docs/requests.md shows") from error


def resolve(request: RemovalRequest, facts: Mapping[str, KnownFact], *, where: str) -> ServedRequest:
    """The samples that a request names, and what of it the dataset does not hold.

    Raises BadInput for a request of nobody, for one that names nothing or nothing that is here, for everything that
    the dataset has, and for facts of somebody else unless it is made on behalf of others.
    """
    asks = _ids_of(request.person, facts) if request.person else frozenset()
    if request.person and not asks:
        raise BadInput(f"{where}, person", f"is {request.person!r}, who is not in the dataset", "name a subject of it")
    if len(asks) > 1:
        raise BadInput(f"{where}, person", f"is {request.person!r}, as {len(asks)} subjects are called", "name the id")
    classes, properties, whole, strange = _meant(request, facts)
    if (classes or properties or whole) and not asks:
        raise BadInput(f"{where}, person", "is empty, so that nobody asks", "say who asks, by name or id")
    own = [fact for fact in facts.values() if fact.subject_id in asks]
    chosen: set[str] = set()
    missing: list[str] = [f"wants {each!r}" for each in strange]

    def take(found: Iterable[KnownFact], named: str) -> None:
        ids = {fact.sample_id for fact in found}
        chosen.update(ids)
        if not ids:
            missing.append(named)

    for person in request.people:
        ids = _ids_of(person, facts)
        if len(ids) > 1:
            raise BadInput(f"{where}, people", f"{person!r} is the name of {len(ids)} subjects", "name their ids")
        take((fact for fact in facts.values() if fact.subject_id in ids), f"person {person!r}")
    for name in request.facts:
        take((fact for fact in facts.values() if name in (fact.sample_id, fact.fact_id)), f"fact {name!r}")
    for name in properties:
        take((fact for fact in own if _is_property(fact, name)), f"property {name!r}")
    for each in classes:
        take((fact for fact in own if fact.sensitivity == each), f"class {each}")
    if whole:
        take(own, "everything")
    _check(request, chosen, asks, missing, facts, where=where)
    person = next(iter(asks), "")
    return ServedRequest(id=request.id, person=person, samples=tuple(sorted(chosen)), not_found=tuple(missing))


def _check(
    request: RemovalRequest,
    chosen: set[str],
    asks: frozenset[str],
    missing: list[str],
    facts: Mapping[str, KnownFact],
    *,
    where: str,
) -> None:
    if not chosen and not missing:
        raise BadInput(where, "asks for nothing", _ASK)
    if not chosen:
        raise BadInput(where, f"names nothing that the dataset holds ({', '.join(missing[:3])})", _ASK)
    others = sorted({facts[each].subject_id for each in chosen} - asks)
    if others and asks and not request.on_behalf:
        first = next(fact for fact in facts.values() if fact.subject_id == others[0] and fact.sample_id in chosen)
        found = f"asks for {first.sample_id}, a fact of {first.subject or others[0]} and not of who asks"
        raise BadInput(where, found, "leave it out, or say on_behalf = true where that is allowed")
    if others and not asks and not request.people:
        raise BadInput(f"{where}, person", "is empty, so that nobody asks", "say who asks, by name or id")
    if len(chosen) == len(facts):
        raise BadInput(where, "names every fact of the dataset, so nothing would be kept", "ask for less")


def _ids_of(person: str, facts: Mapping[str, KnownFact]) -> frozenset[str]:
    """Subject ids: the one of that id, or all of that name."""
    by_id = frozenset(fact.subject_id for fact in facts.values() if fact.subject_id == person)
    wanted = normalise(person)
    return by_id or frozenset(
        fact.subject_id for fact in facts.values() if fact.subject and normalise(fact.subject) == wanted
    )


def _is_property(fact: KnownFact, name: str) -> bool:
    return name.upper() == fact.property_id or (
        bool(fact.property_label) and normalise(name) == normalise(fact.property_label)
    )


def _meant(
    request: RemovalRequest, facts: Mapping[str, KnownFact]
) -> tuple[list[Sensitivity], list[str], bool, list[str]]:
    """Classes and properties, whether it is everything about the person, and the words that mean none of them."""
    classes, properties = list(request.classes), list(request.properties)
    whole, strange = False, []
    labels = {normalise(fact.property_label) for fact in facts.values() if fact.property_label}
    for part in re.split(r",|;|\band\b|\n|\.", request.wants.casefold()):
        said = " ".join(word for word in part.split() if word not in _SMALL)
        if not part.strip():
            continue
        found = next((each for each in SENSITIVITIES if said == each), None)
        called = next((each for each in SENSITIVITIES if said in WORDS[each]), None)
        if part.strip() in EVERYTHING or said in EVERYTHING:
            whole = True
        elif found:
            classes.append(found)
        elif normalise(said) in labels:
            properties.append(said)
        elif called:
            classes.append(called)
        else:
            strange.append(part.strip())
    return list(dict.fromkeys(classes)), list(dict.fromkeys(properties)), whole, strange
