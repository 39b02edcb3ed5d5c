"""The closed vocabularies of the benchmark: one definition for code, columns and command line."""

from typing import Literal

Sensitivity = Literal[
    "public", "biographical", "family", "location", "contact", "finance",
    "physical", "health", "belief", "orientation", "criminal",
]  # fmt: skip
Task = Literal["generation", "cloze", "classification"]
Modality = Literal["qa", "vqa"]
Setting = Literal["complete", "selective", "personalized"]
Role = Literal["forget", "retain"]
Attack = Literal["random_prefix", "jailbreak_style_prompt", "paraphrase"]
Stage = Literal["select", "facts", "images", "screen", "questions", "probe", "split", "attack", "export"]

Service = Literal["action", "query", "media", "pageviews"]
"""What Wikimedia limits apart: wikis' action APIs, the query service, picture files, pageview counts."""

SENSITIVITIES: tuple[Sensitivity, ...] = (
    "public", "biographical", "family", "location", "contact", "finance",
    "physical", "health", "belief", "orientation", "criminal",
)  # fmt: skip
TASKS: tuple[Task, ...] = ("generation", "cloze", "classification")
MODALITIES: tuple[Modality, ...] = ("qa", "vqa")
SETTINGS: tuple[Setting, ...] = ("complete", "selective", "personalized")
ROLES: tuple[Role, ...] = ("forget", "retain")
ATTACKS: tuple[Attack, ...] = ("random_prefix", "jailbreak_style_prompt", "paraphrase")
STAGES: tuple[Stage, ...] = (
    "select", "facts", "images", "screen", "questions", "probe", "split", "attack", "export",
)  # fmt: skip
STAGE_LINES: dict[Stage, str] = {
    "select": "who becomes a subject",
    "facts": "statements to facts, by the property table",
    "images": "candidate pictures with their licences",
    "screen": "pictures decoded, duplicates settled, views 001-004 assigned",
    "questions": "every fact as generation, cloze and classification, in text and image form",
    "probe": "what the target already knows, with every answer kept as evidence",
    "split": "forget and retain roles under complete, selective and personalized",
    "attack": "random prefixes, jailbreak-style prompts and paraphrases",
    "export": "the dataset in the published layout",
}
RATIOS: tuple[int, ...] = (5, 10, 15, 30)
VIEWS: tuple[str, ...] = ("001", "002", "003", "004")
OPTION_LABELS: tuple[str, ...] = ("A", "B", "C", "D")

PUBLISHED_MODALITY: dict[Modality, str] = {"qa": "text", "vqa": "text_image"}
"""Values of the published `modality` column."""
PUBLISHED_SETTING: dict[Setting, str] = {"complete": "complete", "selective": "selective", "personalized": "persona"}
"""Settings as the published file and config names spell them."""
