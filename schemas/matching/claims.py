"""Claims: whether a text affirms a value that stands in it, or denies it, asks for it, bounds it or takes it back.

A value is not affirmed
- in the scope of a negation or an exception ("not Oslo", "anything except Oslo", "it is false that he was born in
  Oslo"), or if a denial follows ("Oslo is wrong");
- where it is only a landmark or a bound ("near Oslo", "more than 6", "before 1999", "6 or more");
- in a question ("Was it Oslo?"), unless that is all of the text or the answer is yes;
- as hearsay or as an earlier thought beside something else ("Bergen (some say Oslo)", "I thought it was Oslo, but …");
- if it is taken back ("Oslo, no wait, Bergen").
"""

import re
from functools import lru_cache
from typing import Literal

Sort = Literal["text", "date", "count", "amount"]
"""What a value is: a count has no unit, an amount has one."""

_QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})
_SENTENCE = re.compile(
    r"(?<!\b[^\W\d_])(?<!\bSt)(?<!\bDr)(?<!\bMr)(?<!\bMrs)\.(?=[\"')\]]*(?:\s|$))|…|\.{2,}|[!?;\n。！？؟।]"
)
_CLAUSE = re.compile(
    r"[,;:()—–。、，：؛،\n]|\s-\s|(?<!any)(?<!thing)(?<!where)(?<!one)(?<!all)(?<!body)\s+but\b", re.IGNORECASE
)

KIN = (
    r"(?:father|mother(?! (?:tongue|country))|parents?|brothers?|sisters?|sons?|daughters?|husband|wife|widow|uncle"
    r"|aunt|niece|nephew|cousin"
    r"|grand(?:father|mother|parents?|sons?|daughters?|child(?:ren)?)|child(?:ren)?|twin|mum|mom|dad|assistant"
    r"|secretary|clerk|apprentice|aide)"
)
_REACH = r"(?:\W+\w+){0,6}\W*$"
_NOT = (
    r"\b(?:not|never|neither|nor|without|cannot|no|\w+n't|isnt|wasnt|arent|werent|doesnt|didnt|dont|hasnt|havent"
    r"|cant|couldnt|wont"
    r"|nicht|kein\w*|pas|jamais|nunca|jamás|não|nao|не|ни|bukan|tidak|niet|geen|denies|denied|deny|(?<!no )(?<!out"
    r" )(?<!out a )(?<!any )(?<!nobody )(?<!no one )doubts?|disputes?"
    r"|disputed"
    r"|refutes?|refuted|rejects?|rejected|rules? out|ruled out)\b(?! (?:only|(?:a )?doubt|just|merely|question"
    r"|surprise)\b)"
)
_DENIED = re.compile(
    rf"{_NOT}{_REACH}"
    r"|\b(?:false|untrue|wrong|incorrect|mistaken|inaccurate|(?:a |common )?(?:myth|misconception|lie|error|mistake)"
    r"|doubtful|unlikely|impossible|not true|n'?t true|not the case)(?: (?:belief|claim|idea|assumption))? (?:that"
    r"|to (?:say|think|claim|believe|assume))\b.*$"
    r"|\bif (?:you|one|anyone|they) (?:\w+ )?(?:said|says?|guess(?:ed)?|thought|think|answer(?:ed)?)\b.*$"
    r"|\b(?:almost|nearly) (?:born|married|became|moved|joined|won|chose|got|took)\b.*$"
    r"|\b(?:scratch|forget|ignore|discard|disregard|drop|strike|cross out|eliminate|exclude)\W+$"
    r"|\b(?:except(?:ing)?(?: for)?|(?<!none )(?<!nowhere )(?<!nothing )(?<!no )(?<!no one )other than|apart from"
    r"|aside from|excluding|rather than|instead of|as opposed to"
    r"|opposed to"
    r"|unlike|in contrast to|contrary to|(?:any|every)(?:thing|where|one|body|place)? but|all but|anything besides"
    r"|(?:despite|in spite of|notwithstanding|against) (?:\w+ )?(?:claims?|rumou?rs?|reports?|beliefs?|suggestions?)"
    r"|used to (?:be )?(?:thought|think|believed?|said?|say|assumed?|supposed)|wrongly|mistakenly|erroneously"
    r"|falsely|incorrectly|mistaken for|confused with|mixed up with|statt|außer|sauf|excepto|exceto|salvo|кроме"
    r"|kecuali)\b"
    r"(?:\W+\w+){0,7}\W*$"
    r"|(?:不是|并非|並非|不在|没有在|ではなく|नहीं)[^。，,]{0,6}$",
    re.IGNORECASE | re.DOTALL,
)
_LABELLED_WRONG = re.compile(r"\b(?:wrong|false|incorrect|untrue)\s*:\W*$", re.IGNORECASE)
_LANDMARK = re.compile(
    r"\b(?:near(?:by|er)?(?: to)?|outside(?: of)?|close to|next (?:door )?to|far (?:away )?from|away from|opposite"
    r"|adjacent to"
    r"|beside|neighbou?ring|(?:north|south|east|west)(?:[- ]?(?:east|west))?(?:ern)?(?: part)? of|suburbs? of"
    r"|outskirts of|vicinity of"
    r"|(?:km|kilomet\w+|miles|hours?|minutes|drive) (?:away )?(?:from|of|outside)|on the way to|towards?|en route to"
    r"|près d[e']|loin d[e']|cerca de|lejos de|perto de|longe de|in der nähe von|nahe|bei|недалеко от|рядом с|dekat"
    r"|between(?: (?:\w+ ){1,4}?and)?)"
    r"\W*(?:the (?:city|town|village) of |the )?\W*$",
    re.IGNORECASE,
)
_BOUND = re.compile(
    r"(?:\b(?:(?:more|greater|fewer|less|higher|taller|older|later|earlier|other|bigger|larger|smaller|heavier"
    r"|richer|shorter|lower) than"
    r"|as (?:many|much|few|little|high|low|tall) as|by(?: the (?:end|start|beginning) of)?"
    r"|at (?:the )?(?:least|most|minimum|maximum|very least|very most)|over|above|under|below|up to|upwards? of"
    r"|exceed\w*|in excess of"
    r"|(?:a )?(?:minimum|maximum|min|max)(?: of)?|beyond|before|after|prior to|not before|no later than"
    r"|plus d[e']|moins d[e']|au moins|au plus|avant|après|mehr als|weniger als|mindestens|höchstens|über|unter|vor"
    r"|nach"
    r"|más de|menos de|al menos|por lo menos|mais de|pelo menos|antes de|después de|depois de|более|менее|больше"
    r"|меньше|не менее|как минимум"
    r"|до|после|lebih dari|kurang dari|setidaknya|minimal|sebelum|setelah|超过|至少|不到|少于|多于|超過)|[<>≥≤]=?)"
    r"\W*(?:(?:the|year|years|about|around|a|an|in|of|early|late|mid|age|her|his|us|usd|dollars)\W+)*\W*$",
    re.IGNORECASE,
)
_SHORT_OF = re.compile(
    r"\b(?:almost|nearly|close to|not quite|just (?:under|over)|fast|presque|casi|quase|почти|hampir)\W*$",
    re.IGNORECASE,
)
_BOUND_AFTER = re.compile(
    r"\s*(?:\+|(?:[^\W\d]+ ){0,2}(?:or|and|ou|oder|o|или|atau) (?:more|less|fewer|above|below|over|under|higher"
    r"|lower|later|earlier"
    r"|older|younger|so many more|plus|moins|mehr|weniger|más|menos|mais|более|lebih)\b|(?:[^\W\d]+ )?(?:at (?:the"
    r" )?(?:very )?(?:least|most|latest|earliest)|minimum|maximum|plus)\b|以上|以下|以前|以后)",
    re.IGNORECASE,
)
_HEARSAY = re.compile(
    r"\b(?:some|many|most|others?|everyone|everybody|people|several|certain|various|they|few|older|one)(?: \w+){0,2}?"
    r" (?:say|says|said|claims?|claimed|believed?|guess|guessed|expect|assumed|think|thinks|thought|argued?"
    r"|suggests?|suggested|reports?|reported|maintain|assume|list|lists|give|gives|have it|put)\b"
    r"|\b(?:(?:often|sometimes|commonly|formerly|previously|once|originally|initially|long|popularly|frequently"
    r"|occasionally|variously)"
    r" (?:been )?(?:thought|believed|said|claimed|reported|stated|assumed|listed|given|cited|supposed|rumou?red))\b"
    r"|\brumou?r\w*\b|\ballege\w*\b|\b(?:used to be|(?:was|were|is) (?:once|formerly|previously|originally|first))\b"
    r"|\bi (?:first |initially |originally |once |would have |had |'d |almost |nearly |was going to |wanted to )*"
    r"(?:thought|believed|assumed|guessed|said|supposed|figured)(?! so)\b|\bi'?d have (?:said|guessed|thought)\b"
    r"|\b(?:first|initial) (?:guess|thought|instinct|impression)\b|\bmight (?:think|guess|say|expect|assume)\b"
    r"|\b(?:would|you'?d|one'?d|i'?d) (?:think|guess|expect|assume)\b"
    r"|\b(?:sounds?|looks?) like\b"
    r"|\b(?:wanted|hoped|planned|tried|aspired|intended|dreamed|dreamt|meant|failed|refused|trained"
    r"|studied)(?: \w+)? (?:to|of) (?:be|become|becoming|being|work|marry|live|move)\b|\b(?:almost|nearly) (?:became"
    r"|married)\b",
    re.IGNORECASE,
)
_ELSE_AFTER = re.compile(
    r"\s*(?:is|was) (?:only |just |merely |simply )?(?:where|when|who|what|how|the (?:city|place|town|year|one)) \w+"
    r"|[\"'*)\]]*\s*(?:is|was|gets|has been|may be|might be) (?:\w+ly |often |sometimes |(?:the"
    r"|a|my|our) (?:\w+ )?)?(?:given|cited|listed"
    r"|mentioned|named|claimed|believed|assumed|said|reported|thought|quoted|suggested|supposed|guess|assumption"
    r"|thought|instinct|hunch|idea"
    r"|answer (?:most|many|people)|belief|suggestion)\b",
    re.IGNORECASE,
)
"""A value that is said of something else, or as hearsay, if a contrast follows: "Oslo is where she lives, but she was
born in Bergen", "Oslo is often given, yet …"."""
_OF_ANOTHER = re.compile(
    rf"\b{KIN} (?:of|to) (?:an? |the )?(?:\w+ )?$|\b(?:married|engaged|related|works? (?:for|with)"
    rf"|lives? with|hired|sued|consulted|met|knows|needs|loves) (?:to )?an? (?:\w+ )?$",
    re.IGNORECASE,
)
_OF_ANOTHER_AFTER = re.compile(rf"(?:'s(?: \w+)?)? {KIN}\b", re.IGNORECASE)
"""A value that is somebody else's: "the daughter of a lawyer", "lawyer's assistant"."""
_ASIDE = re.compile(r",\s*(?:as|like|contrary to|despite|unlike|in spite of)\b[^,]*,", re.IGNORECASE)
"""What stands between a negation and its value: "not, as often reported, in Oslo"."""
_TURN = re.compile(r"\b(?:but|however|yet|whereas|while)\b", re.IGNORECASE)
_CONCESSION = re.compile(r"\s*(?:even )?(?:though|although|while|whereas|but|yet)\b", re.IGNORECASE)
_CORRECTED = re.compile(
    r"(?:now|today|(?:her|his|their) (?:current|present|new|second)|but|however|yet|actually|in fact|in reality"
    r"|in truth|(?:they|that|those|this|it)(?:'re|'s| are| is| were"
    r"| was) (?:all )?(?:mistaken|wrong|incorrect|false)"
    r"|(?:the )?(?:truth|reality|fact|right|correct|real"
    r"|actual)\b"
    r"|it(?:'s| is| was)|(?:\S+ ){1,4}(?:is|was|would be) (?:the )?(?:\w+ly )?(?:correct|right|actual|true|real)\b)",
    re.IGNORECASE,
)
"""How a sentence opens that puts the one before it right."""
_CONTRAST = re.compile(
    r"\b(?:but|however|actually|in fact|in reality|though|although|yet|turns? out|really|mais|aber|pero|mas|но"
    r"|tetapi)\b|\bit(?:'s| is| was)\b|\b(?:the |its |her |his )?(?:right|correct|real|actual|true|proper)\b",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"[\"'*)\]]*\s*(?:,?\s*(?:which|that|this|it|\w+ it))?\s*(?:is|was|are|were|would be|'s|seems)\s+(?:clearly "
    r"|definitely |certainly |simply |just |often )?(?:not\b(?! only)|n'?t\b|wrong\b|incorrect\b|false\b"
    r"|untrue\b|mistaken\b|inaccurate\b|a (?:common )?(?:mistake|myth|misconception|error)\b|ruled out|impossible"
    r"|unlikely|excluded|wrongly|mistakenly|erroneously)"
    r"|[\"'*)\]]*\s*(?:can|could|may|should|must) be (?:excluded|ruled out|discarded|dismissed|eliminated)\b"
    r"|[\"'*)\]]*\s*(?:isn'?t|wasn'?t|aren'?t|weren'?t)\b"
    r"|[\"'*)\]]*\s*(?:-\s*)?(?:not|nicht|non pas)\s*[.!]?\s*$",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"[\"'*)\]]*\s*[^\w\s]*\s*(?:(?:[-–—…,.;:?!]|but|and|or|oh|um|uh|hmm|er)+\s*)*"
    r"(?:(?:no|nope|nah|non|nein|nicht doch|não|нет|bukan)\s*(?=[,.;:!?…–—-]|\s(?:wait|it|she|he|they|that|actually"
    r"|sorry|rather|make|i)\b)"
    r"|wait\b|hold on\b|scratch that|strike that|correction\b|oops\b|sorry\s*,|i mean\b|i meant\b|or rather\b"
    r"|rather\s*,|make that\b|or actually\b|pardon\b"
    r"|actually\s*,?\s*(?:no\b|it|she|he|make|i\b|not|(?-i:[A-Z0-9]))|let me (?:correct|rephrase|fix)|i (?:was|am)"
    r" (?:wrong|mistaken)|i misspoke|on second thought"
    r"|(?:that|this|it|which)(?:'s| is| was)? (?:actually |probably |likely |also |clearly )?(?:wrong|incorrect"
    r"|false|untrue|mistaken|inaccurate|not (?:right|correct|true|accurate|quite right|the case)|n'?t (?:right"
    r"|correct|true)|a (?:common )?(?:mistake|myth|misconception|error))"
    r"|(?:that|this|it) (?:isn'?t|wasn'?t)\b)",
    re.IGNORECASE,
)
_TAG = re.compile(
    r"\s*[,–—-]\s*(?:right|correct|no|yes|isn'?t it|wasn'?t it|isn'?t (?:he|she)|wasn'?t (?:he|she)|don'?t you think"
    r"|ok(?:ay)?|n'est-ce pas|oder|nicht wahr|verdad|né|да|bukan)\s*$",
    re.IGNORECASE,
)
_YES = re.compile(
    r"[\s\"')\]]*(?:yes|yeah|yep|yup|indeed|correct|right|exactly|sure|of course|oui|ja|sí|sim|да|ya|是的|हाँ)\b",
    re.IGNORECASE,
)


def claims(text: str, start: int, end: int, *, sort: Sort = "text") -> bool:
    """Whether the text affirms the value that stands at text[start:end]; see the module's rules."""
    text = text.translate(_QUOTES)
    begin, stop, mark = _sentence(text, start, end)
    before, after = text[begin:start], text[end:stop]
    clause = _CLAUSE.split(_ASIDE.sub(" ", before))[-1]
    rest = _CLAUSE.split(after, maxsplit=1)[0] if after else ""
    tagged = mark in ("?", "؟") and _TAG.search(after) is not None
    denied_after = _DENIED_AFTER.match(rest if rest.strip() else after.lstrip(", "))
    if _DENIED.search(clause) or _LABELLED_WRONG.search(before) or (denied_after and not tagged):
        return False
    if sort == "text" and (
        _LANDMARK.search(clause) or _OF_ANOTHER.search(clause) or _is_of_another(text[start : start + 1], after)
    ):
        return False
    if sort != "text" and (_BOUND.search(clause) or _BOUND_AFTER.match(text, end)):
        return False
    if sort == "count" and _SHORT_OF.search(clause):
        return False
    if _ELSE_AFTER.match(after) and (_TURN.search(after) or _CORRECTED.match(text[stop:].strip(" .,;:…!?"))):
        return False
    conceded = _CONCESSION.match(clause) is not None
    following = text[end:]
    if _taken_back(following):
        return False
    if mark in "?؟" and mark and not _answered(text, begin, stop, after):
        return False
    return not (_HEARSAY.search(clause) and _elsewhere(text, begin, start - len(clause), after, text[stop:], conceded))


def _is_of_another(first: str, after: str) -> bool:
    """Whether a value is but named beside somebody of theirs; a person's wife says who she is married to."""
    hit = _OF_ANOTHER_AFTER.match(after)
    return hit is not None and not (first.isupper() and re.search("wife|husband|widow", hit[0], re.IGNORECASE))


def _taken_back(following: str) -> bool:
    """Whether a correction follows, in this sentence or as the next words, and something else after it."""
    hit = _TAKEN_BACK.match(following)
    if hit is None:
        return False
    return bool(re.search(r"\w", following[hit.end() :])) or bool(
        re.search(r"wrong|incorrect|false|untrue|n'?t|not ", hit[0])
    )


def _answered(text: str, begin: int, stop: int, after: str) -> bool:
    """Whether a question is the answer itself ("Oslo?"), a tag ("Oslo, right?") or answered with yes."""
    alone = not re.search(r"\w", text[:begin]) and not re.search(r"\w", text[stop:])
    bare = len(re.findall(r"\w+", text[begin:stop])) <= 3 and not re.match(
        r"\s*(?:was|is|were|did|does|do|are)\b", text[begin:stop], re.I
    )
    return (alone and bare) or _TAG.search(after) is not None or _YES.match(text[stop:].lstrip("?؟ ")) is not None


def _elsewhere(text: str, begin: int, head: int, after: str, later: str, conceded: bool) -> bool:
    """Whether hearsay or an earlier thought stands beside something else that is said, or is a concession to it."""
    opened = text[max(0, head - 1) : head + 1].strip().startswith("(")
    earlier = text[:head] if opened else text[begin:head]
    first = re.search(r"\w", earlier) and not re.fullmatch(r"\W*(?:well|hmm|ok|okay|so|yes|oh)\W*", earlier, re.I)
    return bool(
        (first and (opened or conceded))
        or _CONTRAST.search(after)
        or _CONTRAST.match(later.strip(" .,;:…!?"))
        or _CORRECTED.match(later.strip(" .,;:…!?"))
    )


@lru_cache(maxsize=1 << 13)
def _ends(text: str) -> tuple[tuple[int, int], ...]:
    return tuple((hit.start(), hit.end()) for hit in _SENTENCE.finditer(text))


def _sentence(text: str, start: int, end: int) -> tuple[int, int, str]:
    """Where the sentence around a value begins and ends, and the mark that ends it."""
    begin = max((to for _, to in _ends(text) if to <= start), default=0)
    stop, mark = next(((at, text[at]) for at, _ in _ends(text) if at >= end), (len(text), ""))
    return begin, stop, mark
