"""Names in running text: which organisations, teams, awards and offices take "the" or "a", and which go without."""

import re

_THE_FIRST = re.compile(
    r"(?:Bank(?! of America)|Church|City|Diocese|Archdiocese|Government|Kingdom|Order|Republic|House|Duchy|Province"
    r"|State|Union|Court|Free University|Technical University) of\b"
    r"|Royal (?!Holloway|Dutch|Caribbean|Challengers)|National (?!Geographic$|Express|Public Radio|Grid)"
    r"|Imperial (?!College|Tobacco)|Federal |European |World Bank\b|Australian National University\b"
    r"|United (?:Nations|States|Kingdom|Arab|Provinces)\b"
)
_NO_THE_LAST = re.compile(
    r"\b(?:Airlines|Air Lines|Airways|University|College|Express|Motors|Pictures|Records|Entertainment|Industries"
    r"|Castle|F\.C\.|FC)$"
)
"""Names that go without "the" even after "Royal" or "National"."""
_NO_THE = re.compile(r"(?:Queen Mary|Victoria) University of\b|\w+ University of Technology$")
_THE_ANYWHERE = re.compile(
    r"(?<!University )\b(?:Academy|Brotherhood|College|Conservatoire|Conservatory|Department|Faculty|Guild"
    r"|Institute|Ministry|Museum|Parliament|School|Society|University|Association|Union|League|Institution|Board|Office|Centre|Center|Bureau"
    r"|Organi[sz]ation|Council|Committee|Commission|Federation|Army|Club|Company|Court|Church) (?:of|for|on)\b"
)
_THE_LAST = re.compile(
    r"\b(?:Organi[sz]ation|Federation|League|Institution|Confederation|Assembly|Nations|Legion|Corps"
    r"|Committee|Academy|Society|Association|Commission|Institute|Council|Party|Union|Corporation|Museum"
    r"|Senate|Army|Navy|Force|Foundation|Conservatory|Conservatoire|Conservatorium|Service|Bureau|Agency"
    r"|Ministry|Government|Library|Observatory|Orchestra|Philharmonic|Company|team|club|agency|office"
    r"|Red Cross|Team|Theatre|Theater|Railroad|Railway|(?:Mayo|Cleveland) Clinic|(?:Supreme|High) Court"
    r"|(?:Juilliard|Wharton|Slade) School|(?:Metropolitan|State) Opera|Symphony|Choir|Ensemble"
    r"|BBC|CIA|FBI|KGB|FSB|NSA|RAF|NHS|UN|EU|IMF)$"
    r"|(?<=\w )(?:Congress|Parliament)$"
    r"|(?<=\w )(?:Times|Post|Tribune|Telegraph|Herald|Gazette|Chronicle|Journal|Examiner|Inquirer|Guardian|Observer)$"
    r"|^(?:Guardian|Economist|Independent|Spectator|Open University|White House|Pentagon|Kremlin|Vatican|Louvre|Prado"
    r"|Sorbonne|Old Vic|Wehrmacht|Luftwaffe|Kriegsmarine|Gestapo|Waffen-SS|SS|Stasi|Mossad|Bundestag|Bundesrat"
    r"|Reichstag|Knesset|Riksdag|Storting|Folketing|Sejm|Althing|State Duma|Lok Sabha|Rajya Sabha|National Diet)$"
)
_AWARD = re.compile(
    r"\b(?:Award|Awards|Prize|Medal|Cross|Trophy|Cup|Star|Order|Prix|Purple Heart|Legion of|[BP]al[lm][oe]n? d'Or"
    r"|(?:Golden|Silver) (?:Bear|Lion|Globe|Leopard|Raspberry))\b(?! \()",
    re.IGNORECASE,
)
_RANK = re.compile(
    r"^(?:knight|dame|officer|commander|member|companion|fellow|grand (?!prix)|chevalier|honorary|doctor|citizen|hero"
    r"|recipient)\b",
    re.IGNORECASE,
)
_ONE_OF_MANY = re.compile(
    r"(?:(?:[\w'-]+ ){0,4}(?:fellowship|scholarship|doctorate|degree|knighthood|professorship|citizenship)"
    r"|honorary (?:doctorate|degree) (?:of|from) .+)$",
    re.IGNORECASE,
)
"""Honours that are called by "a"."""
_LIKE_A_CONSONANT = re.compile(r"eu|one\b|once", re.IGNORECASE)
_LIKE_A_VOWEL = re.compile(
    r"hono|honest|heir|hour|u(?!n[ai]|se|[tkr]|s\b|s )|(?:MP|MEP|MSP|FBI|NBA|NFL|SS)\b", re.IGNORECASE
)
_HALL = re.compile(r"(?P<hall>.+ Hall of Fame)(?: inductee)?$")
_NO_PLURAL_THE = re.compile(
    r"(?:ss|'s|F\.C\.|FC|United|Wanderers|Rovers|(?:Queens Park|Glasgow) Rangers|Young Boys|Old Boys|Hotspurs|Juniors"
    r"|Kickers|Sundowns|Wasps|Kaizer Chiefs|Orlando Pirates)$"
)
_NO_TEAM_THE = re.compile(r"Team \w")
_TEAM_SINGULAR = re.compile(
    r"\w (?:Jazz|Heat|Magic|Thunder|Avalanche|Lightning|Wild|Kraken|Liberty|Fever|Mystics|Storm|Sky|Sun|Dream|Fire"
    r"|Galaxy|Revolution|Crew|Dynamo|Red Sox|White Sox|Impact|Quakes|Fury|Blizzard|Force|Surge|Rush|Shock|Fusion"
    r"|Burn|Pride|Spirit|Courage|Thorns|Reign)$"
)
"""Teams that are called by a singular or a mass word, with "the" like those with a plural."""
_WALK = re.compile(r"(?:star on (?:the )?)?(?P<walk>.+ Walk of Fame)", re.IGNORECASE)
_MEMBER = re.compile(r"(?:(?:associate |deputy )?member|fellow|delegate|senator|deputy(?= of| to|$))\b", re.IGNORECASE)
"""Offices that many hold at a time."""
_ONE_AMONG_MANY = re.compile(
    r"(?!.*\b(?:of|for|to|at)\b)(?:[\w.'-]+ ){0,2}(?:senator|representative|councill?or|alderman|deputy|delegate"
    r"|legislator|parliamentarian|judge|magistrate|professor|lecturer|bishop|archbishop|cardinal|priest|ambassador|consul|diplomat"
    r"|envoy|canon|congressman|congresswoman|MP|MEP|knight)$"
    r"|(?:[Cc]abinet |[Gg]overnment |junior |federal |state )?minister$"
)
"""The same, where nothing says of what."""
_NOT_A_PERSON = re.compile(
    r"(?:[\w'-]+ ){0,2}(?:professorship|presidency|papacy|premiership|directorship|throne|seat)\b"
)


def with_article(name: str, *, team: bool = False) -> str:
    """The name of an organisation, school or team in running text: with "the" where English wants it."""
    if name[:4].lower() == "the ":
        return f"the {name[4:]}"
    if team and _NO_TEAM_THE.match(name):
        return name
    plural = team and " " in name and name.endswith("s") and not _NO_PLURAL_THE.search(name)
    singular = team and _TEAM_SINGULAR.search(name)
    return f"the {name}" if plural or singular or _needs_the(name.partition(", ")[0]) else name


def award_name(name: str) -> str:
    """An award in running text: "the Abel Prize", but the award “Officer of the Order of Merit”."""
    if walk := _WALK.fullmatch(name):
        return f"a star on {walk['walk']}" if "'s " in walk["walk"] else f"a star on the {walk['walk']}"
    if hall := _HALL.fullmatch(name):
        return f"a place in the {hall['hall']}"
    if _ONE_OF_MANY.fullmatch(name) and name[:4].lower() != "the ":
        return _with_a(name)
    if _AWARD.search(name) and not _RANK.match(name):
        return f"the {name[4:] if name[:4].lower() == 'the ' else name}"
    return f"the award “{name}”"


def office_name(name: str) -> str:
    """An office as what somebody is: "President of Ruritania", but "a senator" and "a member of the Diet"."""
    if name[:4].lower() == "the ":
        return name
    if _NOT_A_PERSON.match(name):
        return f"the holder of the {name}"
    return _with_a(name) if _MEMBER.match(name) or _ONE_AMONG_MANY.fullmatch(name) else name


def _with_a(name: str) -> str:
    vowel = name[:1].lower() in "aeio" and not _LIKE_A_CONSONANT.match(name)
    return f"{'an' if vowel or _LIKE_A_VOWEL.match(name) else 'a'} {name}"


def _needs_the(name: str) -> bool:
    if _NO_THE.match(name):
        return False
    first = _THE_FIRST.match(name) and (not _NO_THE_LAST.search(name) or name == "Australian National University")
    return bool(first or _THE_ANYWHERE.search(name) or _THE_LAST.search(name))
