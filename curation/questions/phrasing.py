"""From a template of the property table to a sentence: tense, possessive, article, and the words that a date wants."""

import re

from curation.questions.names_in_text import award_name, office_name, with_article

THIS_PERSON = "this person"
"""How the image form calls the subject."""

_TENSE = re.compile(r"\[([^|\]]*)\|([^|\]]*)\]")
_WHEN = {"date": "on what date", "month": "in which month", "year": "in which year"}
_ON = {"date": "on", "month": "in", "year": "in"}

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
    titled = ", " in subject  # "Sir Bo Field, 5th Baronet, was born", so that the title does not run on
    if titled or subject.endswith(")"):  # "the height of Bo Field (1755–1839)", since no bracket takes 's well
        template = _OWNED.sub(r"the \1 of {s}", template)
    text = _TENSE.sub(r"\2" if past else r"\1", template)
    filled = {
        "{s}": f"{subject}," if titled else subject,
        "{s's}": f"{subject}'s",
        "{topic}": topic,
        "{the topic}": with_article(topic, team=team),
        "{the award}": award_name(topic),
        "{the office}": office_name(topic),
        "{when}": _WHEN.get(answer_type, "when"),
        "{on}": _ON.get(answer_type, "in"),
        "{date}": answer_type if answer_type in _WHEN else "date",
    }
    # One pass, so that braces in a name or label stay as they are.
    text = re.sub(
        r"\{(?:s|s's|topic|the topic|the award|the office|when|on|date)\}", lambda slot: filled[slot[0]], text
    )
    text = re.sub(r",(?=[.?!,;]|$)", "", text) if titled else text
    starts_with_name = template.startswith("{s") and not subject.startswith(("this ", "the "))
    return text if starts_with_name else text[:1].upper() + text[1:]
