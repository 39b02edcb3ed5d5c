"""The rows of a build, stage by stage: subject, fact, image, question, evidence, knowledge, assignment, attack."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.storage.tables import Record
from schemas.vocabulary import Attack, Modality, Role, Sensitivity, Setting, Stage, Task

SubjectId = Annotated[str, Field(pattern=r"^\d{3,}$")]
Qid = Annotated[str, Field(pattern=r"^Q[1-9]\d*$")]
Slot = Annotated[int, Field(ge=1, le=50)]
View = Literal["001", "002", "003", "004"]
Hash64 = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class Drop(Record):
    """Something left out, and why. `reason` is a code of schemas.records.drop_reasons.REASONS; `item` says what was
    dropped.
    """

    stage: Stage
    subject_id: str
    item: str
    reason: str
    detail: str = ""


class Epithet(Record):
    """What tells a subject from a namesake: what they are ("American swimmer"), or a year of birth or death."""

    kind: Literal["trade", "born", "died"]
    text: str


class Subject(Record):
    """A person of the benchmark."""

    subject_id: SubjectId
    qid: Qid
    name: str
    aliases: tuple[str, ...]
    description: str
    occupations: tuple[str, ...]
    """English labels, most important first."""
    occupation_group: str
    """The first occupation's group, by which splits are stratified."""
    living: bool
    birth_year: int | None
    death_year: int | None
    sitelinks: int
    portrait_titles: tuple[str, ...]
    """Commons file names of P18, without "File:"."""
    commons_category: str | None
    """P373, without "Category:"."""
    revision: int | None
    complete_rank: int | None
    """Rank carried over from a roster (1 is forgotten first); None lets the split stage rank."""
    epithets: tuple[Epithet, ...] = ()
    """What tells the subject from others of the same name in text; empty where nobody else has the name."""


class AcceptedAnswer(Record):
    """One form in which a fact's answer may be given. The fields used depend on `kind`.

    text: `text` alone. date: year, month, day (0 where the precision does not reach); number: number, unit, tolerance.
    """

    kind: Literal["text", "date", "number"]
    text: str
    year: int = 0
    month: int = 0
    day: int = 0
    number: float = 0.0
    unit: str = ""
    """English unit name as an answer would say it, such as "metre", or ""."""
    tolerance: float = 0.0
    """Absolute, in `unit`."""


class Fact(Record):
    """One statement about a subject, with the answers that count as right. (sample_id is one per fact.)"""

    fact_id: str
    """`<subject_id>-<slot>`, slot in two digits."""
    sample_id: str
    """`<Name_With_Underscores>_<NN>`, NN = slot."""
    subject_id: SubjectId
    slot: Slot
    property_id: str
    """Wikidata property, or property/qualifier such as "P39/P580"."""
    property_label: str
    answer_type: str
    """What kind of thing the answer is (place, person, year, …); distractors come from the same type."""
    sensitivity: Sensitivity
    gated: bool
    """True if policy sends the fact to the gated export."""
    statement_id: str
    value_id: str
    """QID of the value, or "" for literals."""
    answer: str
    """The canonical English answer, as it would stand in a cloze sentence."""
    accepted: tuple[AcceptedAnswer, ...]
    """Every accepted form: aliases, other values of a multi-valued property, date and number forms."""
    topic: str = ""
    """English label of the main value that a qualifier question names (the office in "When did … become …"), or ""."""
    past: bool = False
    """The statement has ended (P582) or the subject is dead: the question is put in the past tense."""
    references: int = 0
    cited: int = 0
    legal_basis_hint: str = ""
    withheld: tuple[str, ...] = ()
    """Names of further values at the source (ended, outranked, disputed, or a place that contains the answer): they are
    not accepted, and never offered as a false option."""
    withheld_digests: tuple[str, ...] = ()
    """Digests (schemas.matching.match.form_digest) of names that are kept nowhere: uncited, sensitive or private
    values.
    """
    kind: str = ""
    """Kind of the value among those of its answer type (curation/facts/value_kinds.toml); options are of the same
    kind.
    """
    true_ids: tuple[str, ...] = ()
    """QIDs of every value that is stated, asked for or withheld."""
    reached_ids: tuple[str, ...] = ()
    """QIDs of what those values are part of, lie in or are kinds of: no false options either."""
    read_share: float = 1.0
    """Share of the property's values that could be read, of all that would be right answers."""


class UnknownQualifier(Record):
    """A qualifier of an asked property that curation/facts/qualifiers.toml has no rule for, and how often it stood
    there.
    """

    property_id: str
    qualifier_id: str
    statements: int


class Licence(Record):
    """Licence and attribution of a Commons file, as imageinfo's extmetadata gives them (HTML stripped)."""

    short_name: str
    code: str
    url: str
    usage_terms: str
    artist: str
    credit: str
    attribution: str
    attribution_required: bool
    restrictions: str
    non_free: bool


class Image(Record):
    """One candidate picture of a subject, downloaded and not yet looked at."""

    image_id: str
    """`<subject_id>-<first 12 hex digits of the sha256 of title and content>`; never a path."""
    subject_id: SubjectId
    title: str
    """Commons file name without "File:"."""
    origin: Literal["portrait", "category", "depicts"]
    page_id: int
    source_url: str
    description_url: str
    description: str
    width: int
    """Of the original file, pixels."""
    height: int
    mime: str
    sha1: str
    """Of the original file, as Commons states it."""
    timestamp: str
    """Upload time of the revision, ISO 8601."""
    licence: Licence
    content: bytes
    """The bytes served (a thumbnail at an allowed width, or the original where it is smaller)."""


class ImageHashes(Record):
    """What the screen found out about one decoded picture, without its bytes."""

    image_id: str
    subject_id: SubjectId
    title: str
    origin: Literal["portrait", "category", "depicts"]
    width: int
    """Of the decoded, upright, border-trimmed picture."""
    height: int
    sha1: str
    timestamp: str
    description: str
    phash: Hash64
    dhash: Hash64


class Duplicate(Record):
    """A pair of pictures found to be the same, and which of the two stays ("" if neither)."""

    left_id: str
    right_id: str
    left_subject: SubjectId
    right_subject: SubjectId
    distance: int
    """Hamming distance of the perceptual hashes, 0-64."""
    exact: bool
    """The original files' sha1 are equal."""
    kept: str


class Portrait(Record):
    """A picture that passed the screen, with its view (None: spare, beyond the fourth)."""

    image_id: str
    subject_id: SubjectId
    view: View | None
    title: str
    source_url: str
    description_url: str
    sha1: str
    licence: Licence
    width: int
    """Of `content`, pixels."""
    height: int
    mime: Literal["image/jpeg", "image/png"]
    transformation: str
    """What was done to the source, in words, for the licence's change note; "" if the bytes are as served."""
    phash: Hash64
    content: bytes


class Question(Record):
    """A fact asked in one form. Classification has four options and a label; the others have none."""

    question_id: str
    """`<sample_id>|<task>|<modality>`."""
    sample_id: str
    fact_id: str
    subject_id: SubjectId
    task: Task
    modality: Modality
    text: str
    """The question, or for cloze a sentence with the blank `___`."""
    paraphrases: tuple[str, ...]
    """Other wordings of a generation question, asked by the probe; empty for the other tasks."""
    answer: str
    options: tuple[str, ...]
    answer_label: Literal["A", "B", "C", "D"] | None


Condition = Literal["greedy", "sampled", "paraphrase", "no_image", "wrong_image"]


class Evidence(Record):
    """One recorded answer of a responder to a probe."""

    sample_id: str
    subject_id: SubjectId
    modality: Modality
    condition: Condition
    attempt: int
    """0, 1, … within the condition."""
    prompt: str
    image_id: str
    """"" where no image was shown."""
    reply: str
    error: str
    """"" if the responder answered."""
    matched: str
    """The accepted form that the reply contains, or ""."""


class Knowledge(Record):
    """The verdict on one fact in one modality."""

    sample_id: str
    fact_id: str
    subject_id: SubjectId
    modality: Modality
    known: bool
    verdict: Literal["known", "greedy_wrong", "not_consistent", "leaks_without_face", "no_answer"]
    generated_answer: str
    """The target's own greedy answer: the training target."""
    agreeing: int
    asked: int
    control_matches: int
    controls: int


class Persona(Record):
    """Who a subject is taken to be when saying what they want gone."""

    subject_id: SubjectId
    persona: str
    description: str


class Vote(Record):
    """One rater's vote on one fact under the subject's persona."""

    sample_id: str
    subject_id: SubjectId
    rater: str
    forget: bool


class Repair(Record):
    """A personalized role that the majority did not give: every subject ends with a forget and a retain fact."""

    sample_id: str
    subject_id: SubjectId
    role: Role
    """The role it was given instead."""
    votes_forget: int
    votes: int


class Assignment(Record):
    """The role of a sample under a setting. `ratio` is 5, 10, 15 or 30 for complete and None otherwise."""

    sample_id: str
    subject_id: SubjectId
    setting: Setting
    ratio: int | None
    role: Role


class SubjectRank(Record):
    """Place of a subject in the ranking of the complete setting: rank 1 is forgotten first."""

    subject_id: SubjectId
    occupation_group: str
    rank: int


class AttackPrompt(Record):
    """A generation question changed by an attack."""

    sample_id: str
    subject_id: SubjectId
    attack: Attack
    modality: Modality
    text: str
    author: str
    """`template:<name>` or `openai:<model>`."""
