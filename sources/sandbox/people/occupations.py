"""What people of the embedded world do: real Wikidata occupations, each with the branch that decides its claims."""

from dataclasses import dataclass
from typing import Literal

Branch = Literal["politics", "letters", "music", "screen", "science", "sport", "art", "business"]


@dataclass(frozen=True)
class Occupation:
    """An occupation under its real QID."""

    qid: str
    label: str
    branch: Branch


OCCUPATIONS: tuple[Occupation, ...] = (
    Occupation("Q82955", "politician", "politics"),
    Occupation("Q193391", "diplomat", "politics"),
    Occupation("Q16533", "judge", "politics"),
    Occupation("Q40348", "lawyer", "politics"),
    Occupation("Q36180", "writer", "letters"),
    Occupation("Q49757", "poet", "letters"),
    Occupation("Q6625963", "novelist", "letters"),
    Occupation("Q1930187", "journalist", "letters"),
    Occupation("Q201788", "historian", "letters"),
    Occupation("Q333634", "translator", "letters"),
    Occupation("Q177220", "singer", "music"),
    Occupation("Q36834", "composer", "music"),
    Occupation("Q486748", "pianist", "music"),
    Occupation("Q1259917", "violinist", "music"),
    Occupation("Q158852", "conductor", "music"),
    Occupation("Q33999", "actor", "screen"),
    Occupation("Q2526255", "film director", "screen"),
    Occupation("Q28389", "screenwriter", "screen"),
    Occupation("Q947873", "television presenter", "screen"),
    Occupation("Q169470", "physicist", "science"),
    Occupation("Q170790", "mathematician", "science"),
    Occupation("Q593644", "chemist", "science"),
    Occupation("Q864503", "biologist", "science"),
    Occupation("Q11063", "astronomer", "science"),
    Occupation("Q39631", "physician", "science"),
    Occupation("Q81096", "engineer", "science"),
    Occupation("Q11631", "astronaut", "science"),
    Occupation("Q10843402", "swimmer", "sport"),
    Occupation("Q2309784", "sport cyclist", "sport"),
    Occupation("Q10833314", "tennis player", "sport"),
    Occupation("Q3665646", "basketball player", "sport"),
    Occupation("Q11513337", "athletics competitor", "sport"),
    Occupation("Q1028181", "painter", "art"),
    Occupation("Q1281618", "sculptor", "art"),
    Occupation("Q42973", "architect", "art"),
    Occupation("Q33231", "photographer", "art"),
    Occupation("Q644687", "illustrator", "art"),
    Occupation("Q43845", "businessperson", "business"),
    Occupation("Q3499072", "chef", "business"),
    Occupation("Q131524", "entrepreneur", "business"),
    Occupation("Q806798", "banker", "business"),
)
BRANCH_OF: dict[str, Branch] = {occupation.qid: occupation.branch for occupation in OCCUPATIONS}
