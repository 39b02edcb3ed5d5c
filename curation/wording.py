"""From a template of the property table to a sentence: tense, possessive, article, and the words that a date wants."""

import re

THIS_PERSON = "this person"
"""How the image form calls the subject."""

_TENSE = re.compile(r"\[([^|\]]*)\|([^|\]]*)\]")
_WHEN = {"date": "on what date", "month": "in which month", "year": "in which year"}
_ON = {"date": "on", "month": "in", "year": "in"}

_THE_FIRST = re.compile(
    r"(?:Bank|Church|City|Diocese|Government|Kingdom|Order|Republic|House) of\b"
    r"|(?:Royal|National|European|Federal|United|International|British|American|French|Russian|Imperial"
    r"|World) (?!College)"
)
_THE_ANYWHERE = re.compile(
    r"\b(?:Academy|Brotherhood|College|Conservatoire|Conservatory|Department|Faculty|Guild|Institute|Ministry|Museum"
    r"|Parliament|School|Society|University) (?:of|for)\b"
)
_THE_LAST = re.compile(
    r"\b(?:Committee|Academy|Society|Association|Commission|Institute|Council|Party|Union|Corporation|Museum"
    r"|Parliament|Senate|Army|Navy|Force|Foundation|Conservatory|Conservatoire|Conservatorium|Service|Bureau|Agency"
    r"|Ministry|Government|Library|Observatory|Orchestra|Philharmonic|Post|Guardian|Company|team|club|agency|office"
    r"|BBC|CIA|FBI|KGB|FSB|NSA|RAF|NHS|UN|EU|IMF)$"
)
_AWARD = re.compile(r"\b(?:Award|Awards|Prize|Medal|Cross|Trophy|Cup|Star|Order)\b(?! \()", re.IGNORECASE)
_RANK = re.compile(
    r"^(?:knight|dame|officer|commander|member|companion|fellow|grand|chevalier|honorary|doctor|citizen|hero)\b",
    re.IGNORECASE,
)
_NO_PLURAL_THE = re.compile(r"(?:ss|'s|F\.C\.|FC|United)$")


def sentence(template: str, *, subject: str, topic: str, answer_type: str, past: bool, team: bool = False) -> str:
    """The template as English about `subject` (a name, or THIS_PERSON).

    `team`: the topic is a sports team, so a plural name takes "the" ("the Green Bay Packers").
    """
    text = _TENSE.sub(r"\2" if past else r"\1", template)
    filled = {
        "{s}": subject,
        "{s's}": f"{subject}'s",
        "{topic}": topic,
        "{the topic}": with_article(topic, team=team),
        "{the award}": award_name(topic),
        "{when}": _WHEN.get(answer_type, "when"),
        "{on}": _ON.get(answer_type, "in"),
        "{date}": answer_type if answer_type in _WHEN else "date",
    }
    # One pass, so that braces in a name or label stay as they are.
    text = re.sub(r"\{(?:s|s's|topic|the topic|the award|when|on|date)\}", lambda slot: filled[slot[0]], text)
    starts_with_name = template.startswith("{s") and subject != THIS_PERSON
    return text if starts_with_name else text[:1].upper() + text[1:]


def with_article(name: str, *, team: bool = False) -> str:
    """The name of an organisation, school or team in running text: with "the" where English wants it."""
    if name[:4].lower() == "the ":
        return f"the {name[4:]}"
    plural = team and " " in name and name.endswith("s") and not _NO_PLURAL_THE.search(name)
    return f"the {name}" if plural or _needs_the(name) else name


def award_name(name: str) -> str:
    """An award in running text: "the Abel Prize", but the award “Officer of the Order of Merit”."""
    if _AWARD.search(name) and not _RANK.match(name):
        return f"the {name[4:] if name[:4].lower() == 'the ' else name}"
    return f"the award “{name}”"


def _needs_the(name: str) -> bool:
    return bool(_THE_FIRST.match(name) or _THE_ANYWHERE.search(name) or _THE_LAST.search(name))
