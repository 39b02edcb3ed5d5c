"""From a template of the property table to a sentence: tense, possessive, article, and the words that a date wants."""

import re

THIS_PERSON = "this person"
"""How the image form calls the subject."""

_TENSE = re.compile(r"\[([^|\]]*)\|([^|\]]*)\]")
_WHEN = {"date": "on what date", "month": "in which month", "year": "in which year"}
_ON = {"date": "on", "month": "in", "year": "in"}

_THE_FIRST = re.compile(
    r"(?:Bank|Church|City|Diocese|Archdiocese|Government|Kingdom|Order|Republic|House|Duchy|Province|State|Union) of\b"
    r"|(?:Royal|National|European|Federal|Imperial) (?!College|Holloway|Dutch)|World Bank\b"
    r"|United (?:Nations|States|Kingdom|Arab|Provinces)\b"
)
_NO_THE_LAST = re.compile(
    r"\b(?:Airlines|Airways|University|College|Express|Motors|Pictures|Records|Entertainment|Industries|Hospital"
    r"|Hall|Castle|Palace|F\.C\.|FC)$"
)
"""Names that go without "the" even after "Royal" or "National"."""
_THE_ANYWHERE = re.compile(
    r"(?<!University )\b(?:Academy|Brotherhood|College|Conservatoire|Conservatory|Department|Faculty|Guild"
    r"|Institute|Ministry|Museum|Parliament|School|Society|University|Association|Union|League|Institution|Board|Office|Centre|Center|Bureau"
    r"|Organi[sz]ation|Council|Committee|Commission|Federation|Army|Club|Company) (?:of|for|on)\b"
)
_THE_LAST = re.compile(
    r"\b(?:Organi[sz]ation|Federation|League|Institution|Confederation|Congress|Assembly|Nations|Legion|Corps"
    r"|Committee|Academy|Society|Association|Commission|Institute|Council|Party|Union|Corporation|Museum"
    r"|Parliament|Senate|Army|Navy|Force|Foundation|Conservatory|Conservatoire|Conservatorium|Service|Bureau|Agency"
    r"|Ministry|Government|Library|Observatory|Orchestra|Philharmonic|Post|Guardian|Company|team|club|agency|office"
    r"|BBC|CIA|FBI|KGB|FSB|NSA|RAF|NHS|UN|EU|IMF)$"
)
_AWARD = re.compile(r"\b(?:Award|Awards|Prize|Medal|Cross|Trophy|Cup|Star|Order)\b(?! \()", re.IGNORECASE)
_RANK = re.compile(
    r"^(?:knight|dame|officer|commander|member|companion|fellow|grand|chevalier|honorary|doctor|citizen|hero)\b",
    re.IGNORECASE,
)
_NO_PLURAL_THE = re.compile(r"(?:ss|'s|F\.C\.|FC|United|Wanderers|Rovers|Queens Park Rangers|Young Boys|Hotspurs)$")
_TEAM_SINGULAR = re.compile(
    r"\w (?:Jazz|Heat|Magic|Thunder|Avalanche|Lightning|Wild|Kraken|Liberty|Fever|Mystics|Storm|Sky|Sun|Dream|Fire"
    r"|Galaxy|Revolution|Crew|Dynamo|Red Sox|White Sox|Impact|Quakes|Fury|Blizzard|Force|Surge|Rush|Shock|Fusion"
    r"|Burn|Pride|Spirit|Courage|Thorns|Reign)$"
)
"""Teams that are called by a singular or a mass word, with "the" like those with a plural."""
_WALK = re.compile(r"star on (?:the )?(?P<walk>.+ Walk of Fame)", re.IGNORECASE)
_MEMBER = re.compile(r"(?:(?:associate |deputy )?member|fellow|delegate|senator|deputy(?= of| to|$))\b", re.IGNORECASE)
"""Offices that many hold at a time."""
_CHOICE = re.compile(r"<([^|>]*)\|([^|>]*)>")
_NOUN_END = (
    r"(?:begin|began|ends?|ended|known|gone|lie|recorded|classified|held|estimated|in|for|to|as|at|is|was|are|with)\b"
)
_OWNED = re.compile(
    rf"\{{s's\}} ((?!{_NOUN_END})(?:[a-z-]+|\{{date\}}|\{{topic\}})(?: (?!{_NOUN_END})(?:[a-z-]+|\{{date\}}))*)"
)
"""What belongs to the subject in a template: "{s's} place of birth"."""


def sentence(template: str, *, subject: str, topic: str, answer_type: str, past: bool, team: bool = False) -> str:
    """The template as English about `subject` (a name, or THIS_PERSON).

    `team`: the topic is a sports team, so a plural name takes "the" ("the Green Bay Packers").
    """
    if subject.endswith(")"):  # "the height of Bo Field (1755–1839)", since no bracket takes 's well
        template = _OWNED.sub(r"the \1 of {s}", template)
    template = _CHOICE.sub(r"\2" if _MEMBER.match(topic) else r"\1", template)
    text = _TENSE.sub(r"\2" if past else r"\1", template)
    filled = {
        "{s}": subject,
        "{s's}": f"{subject}'s",
        "{topic}": topic,
        "{the topic}": with_article(topic, team=team),
        "{the award}": award_name(topic),
        "{a topic}": f"{'an' if topic[:1].lower() in 'aeiou' else 'a'} {topic}",
        "{when}": _WHEN.get(answer_type, "when"),
        "{on}": _ON.get(answer_type, "in"),
        "{date}": answer_type if answer_type in _WHEN else "date",
    }
    # One pass, so that braces in a name or label stay as they are.
    text = re.sub(r"\{(?:s|s's|topic|the topic|the award|a topic|when|on|date)\}", lambda slot: filled[slot[0]], text)
    starts_with_name = template.startswith("{s") and not subject.startswith(("this ", "the "))
    return text if starts_with_name else text[:1].upper() + text[1:]


def with_article(name: str, *, team: bool = False) -> str:
    """The name of an organisation, school or team in running text: with "the" where English wants it."""
    if name[:4].lower() == "the ":
        return f"the {name[4:]}"
    plural = team and " " in name and name.endswith("s") and not _NO_PLURAL_THE.search(name)
    singular = team and _TEAM_SINGULAR.search(name)
    return f"the {name}" if plural or singular or _needs_the(name) else name


def award_name(name: str) -> str:
    """An award in running text: "the Abel Prize", but the award “Officer of the Order of Merit”."""
    if walk := _WALK.fullmatch(name):
        return f"a star on the {walk['walk']}"
    if _AWARD.search(name) and not _RANK.match(name):
        return f"the {name[4:] if name[:4].lower() == 'the ' else name}"
    return f"the award “{name}”"


def _needs_the(name: str) -> bool:
    first = _THE_FIRST.match(name) and not _NO_THE_LAST.search(name)
    return bool(first or _THE_ANYWHERE.search(name) or _THE_LAST.search(name))
