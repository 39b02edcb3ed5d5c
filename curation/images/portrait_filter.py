"""Pictures that show no face or several, told by title, caption and shape: a rule for where no detector has looked."""

import re
from collections.abc import Iterable, Sequence

from schemas.matching.letters import fold_accents
from schemas.protocols.source import CommonsFile
from schemas.records.drop_reasons import Refusal

WIDEST = 2.2
"""Width over height: beyond it lie signatures, banners, panoramas and group pictures."""
TALLEST = 3.0
"""Height over width."""

_CHAMBERS = (
    "representatives|commons|lords|delegates|assembly|councillors|councilors|peers|keys|burgesses|deputies|bishops|"
    "federation|nationalities|chiefs|traditional leaders|the people|parliament|orange|nassau|windsor|savoy|habsburg|"
    "bourbon|stuart|tudor|hanover|hohenzollern|romanov|saud|cards|the dragon|gucci|dior|fashion"
)
"""A house of these is a parliament, a family or a work, not somebody's home."""
_TOPICS = (
    "Urban|Rural|Human|Health|Education|Welfare|Labou?r|Trade|Industry|Industries|Sciences?|Technology|Arts?|Culture|"
    "Sports?|Tourism|Environment|Environmental|Food|Agriculture|Fisheries|Forestry|Energy|Climate|Business|Innovation|"
    "Skills|Media|Justice|Foreign|Commonwealth|Defence|Defense|Economy|Economic|Finance|Internal|Social|Family|Women|"
    "Youth|Children|Transport|Communications?|Infrastructure|Water|Land|Natural|Resources|Mines|Communities|Local|"
    "Government|Immigration|Citizenship|Customs|Excise|Revenue|Budget|Planning|Development|Research|Letters|Design|"
    "Engineering|Medicine|Philosophy|History|Space|Aeronautics|Atmospheric|Drug|Security|Cooperation|Regional|Public|"
    "Administration|Reform|Consumer|Pensions|Universities|Employment|Integration|Equality|Digital|Crafts|White|Roll|"
    "Bass|Order|Herzegovina|Tobago|Barbuda|Nevis|Grenadines|Principe|Labrador|Montenegro|Caicos|Futuna|"
    "Miquelon|Wear|Fulham|Hove|Chelsea|Cultura|Deportes?|Educacion|Forschung|Technologie|Kultur|Wissenschaft|Innovacion"
)
"""The second half of a ministry, a faculty, a country or a kind of music: no second person."""
_WORN = (
    "hat|cap|beret|turban|crown|helmet|veil|robe|cloak|coat|collar|scarf|dress|uniform|cape|necklace|earrings?|pearls?|"
    "beard|moustache|mustache|glasses|spectacles|monocle|pipe|cigar|cigarette|ear|palette|brush|brushes|easel|book|"
    "guitar|violin|cello|piano|trumpet|saxophone|microphone|medal|medals|award|trophy|oscar|prize|cup|flag|dog|cat|"
    "horse|fan|flowers?|sunflower|mirror|skull|circles|gloves|sword|cane|umbrella|racket|ball"
)
"""What one person may be shown with, in titles that write every word with a capital."""

_FACELESS = (
    "signature|autograph|autographed|handwriting|handwritten|manuscript|letter from|letter to|letter by|grave|"
    "gravesite|gravestone|graves|tomb|tombstone|mausoleum|crypt|headstone|cemetery|burial|statue|statues|sculpture|monument|"
    "bust(?![- ](?:portrait|length|shot|photo))|plaque|medallion|coin|stamp|banknote|coat of arms|logo|emblem|map|"
    "chart|diagram|graph|birthplace|birth place|birth house|birthhouse|"
    f"(?<!government )house of(?! (?:{_CHAMBERS})(?!\\w))|home of|"
    "street sign|poster|book cover|album cover|title page|sheet music|"
    "walk of fame|handprints?|hand prints?|footprints?|wax|madame tussauds|caricature|mural|graffiti|cosplay|lookalike|"
    "impersonator|discography|filmography|screenshot of|certificate|diploma|unterschrift|grab|grabstein|denkmal|buste|"
    "busto|geburtshaus|gedenktafel|tombe|tomba|tumba|signatura|firma d[ei]|assinatura|podpis|handtekening|namnteckning"
)
_DOERS = (
    "collectors?|collecting|makers?|making|dealers?|designers?|engravers?|artists?|sessions?|unveilings?|diggers?|"
    "experts?|painters?|cutters?|sculptors?|writers?|readers?|conservators?|carvers?|hunters?"
)
"""What makes of a thing's name that of somebody's trade: a stamp collector has a face."""
_NAMED_AFTER = (
    "street|strasse|avenue|road|square|park|bridge|school|museum|library|institute|building|stadium|airport|trail|"
    "highway|theatre|theater|hospital|station|crater|memorial|house|home|family|centre|center|garden|gardens|hall"
)
_GROUP = (
    "group photo|group photograph|group portrait|group picture|family photo|family portrait|family of|and family|"
    "cast of|and cast|the cast|delegation(?! (?:leader|head|chair|chief|member))|delegates|class photo|team photo|"
    "crowd(?![- ]?(?:funding|funded|sourc))|audience|panelists|band members|"
    "(?:with|and|&) (?:his |her |their )?(?:wife|husband|spouse|fianc[eé]e?|girlfriend|boyfriend|sons?|daughters?|"
    "child|children|kids|parents|mother|father|brothers?|sisters?|grandchildren|family)"
)
_OFFICE_IN_GROUP = re.compile(
    r"(?<!\w)(?:head|chair\w*|leader|chief|member|president) of (?:the |an? )?(?:[\w.-]+ ){0,3}delegation(?!\w)"
)
"""An office, no group."""
_FACELESS_WORD = re.compile(
    rf"(?<!\w)(?:{_FACELESS})(?!\w)(?![ -](?:{_DOERS})(?!\w))"
    rf"|_ (?:memorial )?(?:{_NAMED_AFTER})(?=\s*(?:[\d(,].*)?$)"
    r"|_'s (?:house|home|car|desk|shoes|boots|medals?|shirt|jersey|birthplace)(?!\w)"
    r"|(?<!\w)(?:avenue|rue|calle|via|plaza|platz|place) (?:de |del |d')?_"
)
_FACELESS_CAPTION = re.compile(rf"^(?:the|a|an|this is(?: the| a)?)?\s*(?:{_FACELESS})\s+(?:of|for|by)(?!\w)")
_SELF = re.compile(r"(?<!\w)(?:self|auto|selbst)[- ]?portr", re.IGNORECASE)
_GROUP_WORD = re.compile(rf"(?<!\w)(?:{_GROUP})(?!\w)")
_CAPITAL = r"[^\W\d_a-z]\w*"
_COMPANY = re.compile(
    r"(?<!\w)(?:with|meets|meeting|greets|hugs|kisses|interviews|beside|next to|mit|avec|con)"
    rf"\s+(?!(?:{_TOPICS})\b)(?!(?:[\w'-]+\s+){{0,4}}(?i:{_WORN})\b)(?:[Tt]he\s+)?{_CAPITAL}"
)
"""A word of company before a word with a capital letter: a second name."""
_AND = r"(?:and|und|et|y|e|&)"
_JOINED = re.compile(
    rf"_(?:\s*\([^)]*\))?,?\s+{_AND}\s+(?!(?:{_TOPICS})\b)(?!(?:[\w'-]+\s+){{0,2}}(?i:{_WORN})\b)(?:[Tt]he\s+)?{_CAPITAL}"
    rf"|{_CAPITAL},?\s+{_AND}\s+_"
    rf"|(?:^|[,;_–-]\s*)(?!(?:{_TOPICS}|The|Film|World|Black|Rock)\b){_CAPITAL}\s+{_CAPITAL}"
    rf"\s+{_AND}\s+(?!(?:{_TOPICS}|the|The)\b){_CAPITAL}\s+{_CAPITAL}\s*(?:[\d(,].*)?$"
)
"""The subject (by now an underscore) joined to a name, or two whole names joined; what else is joined is an office's
field, a country, a work or the photographers' firm."""


def portrait_problem(file: CommonsFile, names: Iterable[str]) -> Refusal | None:
    """Why a picture seems to have no face or several, or None. `names` are the subject's, which prove nothing.

    Titles are looked at for words of things and groups, and for a second name beside the subject's; captions for
    "… of" at their beginning; the shape for banners. The subject's chosen portrait (P18) may name company: editors
    have chosen it.
    """
    if file.width > WIDEST * file.height or file.height > TALLEST * file.width:
        return Refusal("not_a_portrait", f"{file.width} x {file.height} is no portrait's shape")
    title = _without(re.sub(r"\.\w{2,5}$", "", file.title), names)
    found = _FACELESS_WORD.search(title.casefold())
    if found is not None:
        return Refusal("not_a_portrait", f"its title has {found[0]!r}")
    caption = _FACELESS_CAPTION.search(file.description.casefold())
    if caption is not None:
        return Refusal("not_a_portrait", f"its caption begins {caption[0].strip()!r}")
    if file.origin == "portrait" or _SELF.search(title):
        return None
    grouped = _OFFICE_IN_GROUP.sub("", title.casefold())
    group = _GROUP_WORD.search(grouped) or _COMPANY.search(title) or _JOINED.search(title)
    return None if group is None else Refusal("not_a_portrait", f"its title names company: {group[0].strip('_, ')!r}")


def _without(title: str, names: Iterable[str]) -> str:
    """The title without the subject's names: someone may be called Stamp."""
    title = fold_accents(title)
    for name in _longest_first([fold_accents(name) for name in names]):
        title = re.sub(re.escape(name), "_", title, flags=re.IGNORECASE)
    return title


def _longest_first(names: Iterable[str]) -> Sequence[str]:
    parts = {part for name in names for part in (name, *name.split()) if len(part) > 2}
    return sorted(parts, key=lambda part: (-len(part), part))
