"""Invented names: curated words and compounds of them, large enough that the people of a world rarely share a value."""

from collections.abc import Iterator, Sequence
from itertools import cycle, product
from random import Random
from typing import TypeVar

T = TypeVar("T")


def deal(rng: Random, values: Sequence[T]) -> Iterator[T]:
    """The values in a shuffled order, again and again: no value comes back before all others were dealt."""
    shuffled = list(values)
    rng.shuffle(shuffled)
    return cycle(shuffled)


def compounds(rng: Random, pattern: str, *parts: Sequence[str], most: int) -> tuple[str, ...]:
    """Up to `most` distinct fillings of the pattern's {0}, {1}, … with the parts, in a shuffled order."""
    made = [pattern.format(*combination) for combination in product(*parts)]
    rng.shuffle(made)
    return tuple(made[:most])


WOMEN = (
    "Mirelle", "Anouk", "Tamsin", "Ilka", "Odessa", "Brynja", "Liselot", "Marit", "Saskia", "Yara", "Zinnia", "Elowen",
    "Perpetua", "Sunniva", "Calista", "Romy", "Thea", "Ottilie", "Nerys", "Freya", "Ines", "Juna", "Katya", "Leocadia",
    "Maelis", "Noor", "Oriane", "Paloma", "Quilla", "Rosalba", "Sabine", "Tirza", "Ursula", "Vesna", "Wilhelmina",
    "Xenia", "Ysolde", "Zora", "Amaranta", "Birgit", "Cosima", "Dagny", "Eulalia", "Fenella", "Gudrun", "Hedda",
    "Imara", "Jocasta", "Kerensa", "Linnea", "Morwenna", "Nadezha", "Ondine", "Philippa", "Ramona", "Selma", "Talulla",
    "Undine", "Valeria", "Winifred", "Adaeze", "Bethan", "Chiara", "Dilara", "Emer", "Farida", "Giulia", "Halina",
    "Isaura", "Jarmila",
)  # fmt: skip
MEN = (
    "Corvin", "Anselm", "Bastian", "Caspar", "Dorian", "Edvin", "Florian", "Gideon", "Halvard", "Ivo", "Jasper",
    "Konrad", "Leander", "Magnus", "Nikolai", "Osric", "Pascal", "Quentin", "Ruben", "Soren", "Tobias", "Ulric",
    "Viktor", "Wendel", "Xavier", "Yannick", "Zoltan", "Aurel", "Bertil", "Cyprian", "Desmond", "Emeric", "Ferdinand",
    "Gunnar", "Hektor", "Isidor", "Jorun", "Kasimir", "Lorcan", "Matthis", "Niall", "Otmar", "Piers", "Rasmus",
    "Sander", "Teodor", "Umberto", "Valdemar", "Wystan", "Ambrose", "Benedek", "Cillian", "Darius", "Esteban",
    "Fabrice", "Goran", "Hamish", "Ignatz", "Janko", "Kelvan", "Lucian", "Milos", "Nestor", "Orlan", "Petrus", "Rowan",
    "Sandor", "Tariq", "Udo", "Vaclav",
)  # fmt: skip
FAMILIES = (
    "Averley", "Brandtholm", "Castellane", "Drummare", "Eskeland", "Farrowby", "Grenfallow", "Hollenbeck", "Ingersdal",
    "Jorvalen", "Kestrelle", "Lindqvarn", "Marchetane", "Norregard", "Oakhanger", "Penhallick", "Quillfeather",
    "Ravensholt", "Silverstrand", "Thackeray-Moss", "Umberlane", "Vantongeren", "Wexcombe", "Yarborough-Lund",
    "Zeeland-Pry", "Ashgrove", "Bellamont", "Corrigall", "Delacourt-Finn", "Edgerunn", "Fontenay", "Galbraithe",
    "Hathersage", "Ivarsund", "Jessamyn", "Kilbrannan", "Lowenthal-Aske", "Mandeville-Ro", "Nightingall", "Ostergaarde",
    "Pellegrane", "Quarrington", "Rosenvinge", "Stormont-Hay", "Tregarrick", "Ulverston", "Vasseline", "Wintermere",
    "Yellowlees", "Zamoriska", "Amberley-Roux", "Blackwater", "Calloway-Stern", "Dunmorrow", "Elphingate",
    "Fairweather", "Goldcrest", "Heronsgate", "Islington-Vey", "Juniperus", "Kingfisher", "Larkspur", "Mistlethwaite",
    "Nettlefold", "Otterbourne", "Plumtree", "Queensferry", "Rookwood", "Starling", "Tamarisk",
)  # fmt: skip
FAMILY_STARTS = (
    "Ander", "Bal", "Carr", "Dev", "Ell", "Fal", "Gar", "Hal", "Iver", "Jan", "Kell", "Lor", "Mar", "Nev", "Orr",
    "Pell", "Quen", "Ros", "Sel", "Tarr", "Ust", "Vall", "Wes", "Yarn", "Zell", "Brock", "Crow", "Dray", "Fitz", "Glen",
    "Hark", "Kirk", "Lund", "Mont", "Nor", "Pran", "Rand", "Stav", "Trev", "Wyn",
)  # fmt: skip
FAMILY_MIDDLES = ("a", "e", "i", "o", "en", "er", "in", "is", "an", "or", "ar", "el")
FAMILY_ENDS = (
    "berg", "court", "dahl", "ford", "grave", "holt", "kin", "land", "more", "nell", "quist", "rath", "sen", "thorpe",
    "vane", "well", "worth", "zant", "bury", "croft",
)  # fmt: skip
TOWN_STARTS = (
    "Alder", "Brack", "Cald", "Dunn", "Elver", "Fenn", "Gild", "Hart", "Isk", "Jutt", "Karr", "Lyng", "Moss", "Nethe",
    "Oxen", "Pike", "Quoin", "Rill", "Sund", "Tarn", "Ulve", "Vell", "Whin", "Yew", "Zand", "Birk", "Cress", "Drift",
    "Ebb", "Flint",
)  # fmt: skip
TOWN_ENDS = (
    "holm", "mouth", "stow", "mere", "stad", "wick", "haven", "burgh", "dale", "ness", "brook", "vik", "minster",
    "moor", "gard", "hythe", "sund", "combe",
)  # fmt: skip
VALES = (
    "Carrow", "Thessaly", "Ambria", "Corvale", "Dunmara", "Estrella", "Fiorda", "Galantha", "Hesper", "Illyra",
    "Jarnock", "Kestria", "Lunara", "Meridon", "Nocturne", "Ostara", "Pallas", "Quarryn", "Rhosyn", "Sabrina", "Tindra",
    "Umbria", "Vesper", "Wessaly", "Xanthe", "Ysmere", "Zephyra", "Arcady", "Belisar", "Cassia", "Delphane", "Eirwen",
    "Faldor", "Gwynnar", "Halcyon", "Isolde", "Jovian", "Karelle", "Lyonesse", "Marisco",
)  # fmt: skip
"""Names of valleys and provinces that institutions are called after; no town has one of these names."""
COUNTRIES = (
    "Velmark", "Ostrania", "Calderra", "Thule-Marit", "Norwenna", "Pelagia", "Sardovia", "Zembla-Ost", "Arquita",
    "Belmoria", "Corsiva", "Dalmere", "Estvia", "Farholm", "Grenmark", "Hyrcana", "Illvania", "Jorund", "Keltany",
    "Lothmar", "Moravine", "Nordalia", "Orsinia", "Palundra", "Quentara", "Ruristan", "Syldara", "Tyrvania", "Uldoria",
    "Vesperia", "Wendland-Aar", "Xirandia", "Ylvania", "Zagoria", "Anvard", "Brunland",
)  # fmt: skip
TRIBES = (
    "Aldari", "Brennic", "Corvani", "Dremish", "Eskari", "Fenlander", "Galdri", "Harrowin", "Istrani", "Jutlani",
    "Kelvari", "Lomari", "Merrow", "Norrin", "Ostari", "Pellani", "Quorri", "Rhuni", "Selkari", "Tarvani", "Ulmish",
    "Varangi", "Wesken", "Yarrowi", "Zelani", "Ambrani", "Birkari", "Cathari-Lun", "Durani-Vos", "Elvari", "Fjellri",
    "Gorani-Mar",
)  # fmt: skip
TONGUES = (
    "Velmarkish", "Ostranian", "Calderrese", "Norwennic", "Pelagian", "Sardovic", "Arquitan", "Belmorish", "Corsivan",
    "Dalmeric", "Estvian", "Farholmish", "Hyrcanese", "Illvanian", "Jorundic", "Keltanish", "Lothmaric", "Moravinian",
    "Nordalic", "Orsinian", "Palundrese", "Quentaran", "Ruristani", "Syldaran", "Tyrvanic", "Uldorian", "Vesperic",
    "Wendish-Aar", "Xirandic", "Ylvanian", "Zagorish", "Anvardic", "Brunlandish", "Thulish", "Zemblan", "Grenmarkish",
)  # fmt: skip
ADJECTIVES = (
    "Amber", "Silent", "Crooked", "Hollow", "Gilded", "Northern", "Patient", "Scarlet", "Salted", "Velvet", "Winter",
    "Copper", "Restless", "Lantern", "Paper", "Distant", "Emerald", "Broken", "Midnight", "Borrowed", "Wandering",
    "Tidal", "Frosted", "Ivory", "Humble", "Marble", "Saffron", "Thirteenth", "Unfinished", "Violet",
)  # fmt: skip
THINGS = (
    "Harbour", "Orchard", "Staircase", "Compass", "Lighthouse", "Almanac", "Sparrow", "Cathedral", "Meadow",
    "Clockwork", "Voyage", "Garden", "Mirror", "Causeway", "Letter", "Sonata", "Bridge", "Carnival", "Tide", "Window",
    "Heron", "Atlas", "Kingdom", "Cartographer", "Ferry", "Vineyard", "Beacon", "Labyrinth", "Overture", "Glacier",
)  # fmt: skip
PATRONS = (
    "Alboran", "Bexhill", "Cottesloe", "Dunvegan", "Everscroft", "Farquhall", "Gormley", "Haldane-Roy", "Inverness-Lee",
    "Jardine-Pell", "Kirkbride", "Lampeter", "Monkhouse", "Northwold", "Orlebar", "Pettifer", "Quennell", "Rutherglen",
    "Sackville-Orr", "Tattershall", "Underhill-Bray", "Vavasour", "Wolstenholme", "Yelverton", "Zouchel",
    "Arkwright-Dean", "Bramhope", "Cholmondel", "Dalrymple-Ash", "Entwhistle",
)  # fmt: skip
"""Founders whose names stand in prizes, firms and diseases; nobody in the world is called so."""


def family_names(rng: Random, *, most: int) -> tuple[str, ...]:
    """Curated family names in a shuffled order, then compounds, `most` in all (at most about 9,600)."""
    curated = list(FAMILIES)
    rng.shuffle(curated)
    made = compounds(rng, "{0}{1}{2}", FAMILY_STARTS, FAMILY_MIDDLES, FAMILY_ENDS, most=max(0, most - len(curated)))
    return (*curated[:most], *made)
