"""People in whom real data is hard to read, one for each kind of trouble: no selection takes them, since few wikis do.

They are reached by their ids, and by whoever reads the whole dump. None of them is dealt anything from the decks, so
that all others stay as they are.
"""

from collections.abc import Mapping

from schemas.records.entities import TimeValue
from sources.sandbox.people.catalogue import HUMAN, Catalogue
from sources.sandbox.people.entities import Claim, Draft, date, item, text

SITELINKS = 5
"""Enough to be named as somebody's spouse, and too few for a selection."""
HOSPITAL, DIVORCE, NAMELESS, STREET, ROLE, PARTNERS, BAND_OF_ROWERS, HOUND = (
    f"Q{904_100_001 + number}" for number in range(8)
)
HOSPITAL_CLASS, COMPANY_CLASS, TEAM_CLASS, BREED_CLASS = "Q16917", "Q4830453", "Q12973014", "Q39367"

COARSE_BIRTH, MAYBE_MINOR, IN_OFFICE_AGAIN, BORN_IN_HOSPITAL, SECOND_PARTY, PARTED, IN_A_ROLE, UNREAD_LANGUAGE = (
    f"Q{904_000_001 + number}" for number in range(8)
)
EARLY_START, BRITISH_LABEL, AT_AN_ADDRESS, YEAR_NOUGHT, OWN_NAME, FORMER_OFFICE = (
    f"Q{904_000_009 + number}" for number in range(6)
)
(
    NAMED_ALIKE,
    NAMED_ALIKE_TOO,
    LONG_IN_OFFICE,
    SHIPWRECKED,
    RETIRED,
    AT_PARTNERS,
    IN_A_TEAM,
    OF_ANOTHER_SORT,
    PET_OWNER,
) = (f"Q{904_000_015 + number}" for number in range(9))
STILL_MARRIED_BY_ONE, BORN_OTHERWISE = (f"Q{904_000_024 + number}" for number in range(2))
HARD_CASES: Mapping[str, str] = {
    COARSE_BIRTH: "Tamsin Oldebell",
    MAYBE_MINOR: "Rolf Newling",
    IN_OFFICE_AGAIN: "Ivo Againsby",
    BORN_IN_HOSPITAL: "Hedda Wardrop",
    SECOND_PARTY: "Polly Twopart",
    PARTED: "Joss Partedge",
    IN_A_ROLE: "Gail Barnaby",
    UNREAD_LANGUAGE: "Mina Tonguely",
    EARLY_START: "Wil Earlyworth",
    BRITISH_LABEL: "Colin Greywell",
    AT_AN_ADDRESS: "Ada Streetham",
    YEAR_NOUGHT: "Nell Noughtley",
    OWN_NAME: "Pippa Ownby",
    FORMER_OFFICE: "Rita Formerly",
    NAMED_ALIKE: "Sam Twiceley",
    NAMED_ALIKE_TOO: "Sam Twiceley",
    LONG_IN_OFFICE: "Aldous Longago",
    SHIPWRECKED: "Wanda Strand",
    RETIRED: "Otto Overley",
    AT_PARTNERS: "Piet Ampersby",
    IN_A_TEAM: "Tilda Articley",
    OF_ANOTHER_SORT: "Wiebke Wrongly",
    PET_OWNER: "Hank Houndsley",
    STILL_MARRIED_BY_ONE: "Ebba Endley",
    BORN_OTHERWISE: "Greta Otherby",
}
"""Names by id."""
DESCRIPTIONS: Mapping[str, str] = {NAMED_ALIKE: "Veskan rower", SHIPWRECKED: "survivor of the wreck of the Petrel"}


def hard_cases(catalogue: Catalogue) -> dict[str, Draft]:
    """The people and the items that they need, by id."""
    kinds = {name: qids for name, qids in catalogue.kinds.items() if qids}
    told = _claims(kinds, kinds["occupation"][0])
    things = (
        Draft(HOSPITAL, "Saint Brigid Hospital", "hospital", claims=(
            Claim("P31", item(HOSPITAL_CLASS)), Claim("P131", item(kinds["town"][0])))),
        Draft(DIVORCE, "divorce", "end of a marriage"),
        Draft(NAMELESS, "", labels={"sv": "lantalliska"}),
        Draft(STREET, "Ferryman Row", "street"),
        Draft(ROLE, "oarswoman", "role"),
        Draft(PARTNERS, "Brand & Quill", "company", claims=(Claim("P31", item(COMPANY_CLASS)),)),
        Draft(BAND_OF_ROWERS, "Harbour Tide Comets", "team", claims=(Claim("P31", item(TEAM_CLASS)),)),
        Draft(HOUND, "marsh hound", "breed of dog", claims=(Claim("P31", item(BREED_CLASS)),)),
    )  # fmt: skip
    people = (
        Draft(
            qid,
            "" if qid == BRITISH_LABEL else name,
            DESCRIPTIONS.get(qid, ""),
            sitelinks=SITELINKS,
            claims=(Claim("P31", item(HUMAN)), *told[qid]),
            labels={"en-gb": name} if qid == BRITISH_LABEL else {},
        )
        for qid, name in HARD_CASES.items()
    )
    return {draft.qid: draft for draft in (*things, *people)}


def _claims(kinds: Mapping[str, tuple[str, ...]], occupation: str) -> dict[str, tuple[Claim, ...]]:
    grown, work = Claim("P569", date(1950)), Claim("P106", item(occupation))
    town, (office, other_office) = kinds["town"][0], kinds["office"][:2]
    (party, other_party), language = kinds["party"][:2], kinds["language"][0]
    terms = (("P580", date(2000)), ("P582", date(2008))), (("P580", date(2012)),)
    return {
        COARSE_BIRTH: (Claim("P569", TimeValue(year=1740, month=0, day=0, precision=8)), work),
        MAYBE_MINOR: (Claim("P569", TimeValue(year=2010, month=0, day=0, precision=8)), work),
        IN_OFFICE_AGAIN: (grown, work, *(Claim("P39", item(office), qualifiers=term) for term in terms)),
        BORN_IN_HOSPITAL: (grown, work, Claim("P19", item(HOSPITAL))),
        SECOND_PARTY: (grown, work, Claim("P102", item(party)), Claim("P102", item(other_party), sourcing="none")),
        PARTED: (grown, work, Claim("P26", item(FORMER_OFFICE), qualifiers=(("P1534", item(DIVORCE)),))),
        IN_A_ROLE: (grown, work, Claim("P2032", date(2007), qualifiers=(("P2868", item(ROLE)),))),
        UNREAD_LANGUAGE: (grown, work, Claim("P1412", item(language)), Claim("P1412", item(NAMELESS))),
        EARLY_START: (grown, work, Claim("P2031", date(1959))),
        BRITISH_LABEL: (grown, work),
        AT_AN_ADDRESS: (
            grown, work,
            Claim("P551", item(town), qualifiers=(("P580", date(2001)), ("P669", item(STREET)), ("P670", text("12b")))),
        ),
        YEAR_NOUGHT: (Claim("P569", date(0)), work, Claim("P570", date(40))),
        OWN_NAME: (grown, work, Claim("P1477", text("Pippa Ownby", "en"))),
        NAMED_ALIKE: (grown, work),
        NAMED_ALIKE_TOO: (Claim("P569", date(1961)), work),
        LONG_IN_OFFICE: (work, Claim("P39", item(office), qualifiers=(("P580", date(1790)),))),
        SHIPWRECKED: (grown,),
        RETIRED: (grown, Claim("P641", item(kinds["sport"][0])), Claim("P2032", date(1990))),
        AT_PARTNERS: (grown, work, Claim("P108", item(PARTNERS))),
        IN_A_TEAM: (grown, work, Claim("P54", item(BAND_OF_ROWERS), qualifiers=(("P580", date(1975)),))),
        OF_ANOTHER_SORT: (grown, Claim("P108", item(kinds["country"][0]))),
        PET_OWNER: (grown, work, Claim("P1429", item(HOUND))),
        STILL_MARRIED_BY_ONE: (grown, work, Claim("P26", item(BORN_OTHERWISE))),
        BORN_OTHERWISE: (
            grown, work, Claim("P1477", text("Greta Ilse Fennimore", "en")),
            Claim("P26", item(STILL_MARRIED_BY_ONE), qualifiers=(("P582", date(1999)),)),
        ),
        FORMER_OFFICE: (grown, work, Claim("P39", item(other_office)), Claim("P39", item(office), rank="preferred")),
    }  # fmt: skip
