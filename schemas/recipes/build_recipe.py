"""Recipes: one TOML file says all of a build. Unknown keys, wrong types and missing files are refused with a line."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from schemas.errors import BadInput
from schemas.recipes.source_recipe import (
    Config,
    Count,
    DumpExtract,
    Positive,
    RecordedSource,
    SandboxSource,
    SelectConfig,
    Share,
    SourceConfig,
    WikimediaEndpoints,
)
from schemas.vocabulary import RATIOS, Sensitivity

ALLOWED_THUMBNAIL_WIDTHS = (20, 40, 60, 120, 250, 330, 500, 960, 1280, 1920, 3840)
"""https://www.mediawiki.org/wiki/Common_thumbnail_sizes; other widths are refused by Wikimedia since 2026."""

KINDS = {"source": "build", "methods": "study"}
"""A key that only one kind of recipe has, and the kind, which is also the command for it."""

RecipeModel = TypeVar("RecipeModel", bound=Config)


class FactsConfig(Config):
    """Which statements become facts."""

    gated: Literal["open", "separate", "drop"] = "separate"
    """Facts of gated classes: in the main export (fictional or consenting people only), in a second one, or dropped."""
    sensitive: tuple[Sensitivity, ...] = (
        "family", "location", "finance", "physical", "health", "belief", "orientation", "criminal",
    )  # fmt: skip
    """The classes that fill slots 25-36 and make the selective forget set."""
    exclude: tuple[str, ...] = ()
    """Properties never asked in this build, besides those that policy excludes."""
    third_party_sitelinks: Count = 5
    """A person may be named as an answer only with at least this many sitelinks of their own."""


class ImagesConfig(Config):
    """Which pictures are fetched."""

    width: int = 960
    """Thumbnail width in pixels; one of ALLOWED_THUMBNAIL_WIDTHS."""
    candidates: Positive = 24
    """Most pictures fetched for one subject."""

    @model_validator(mode="after")
    def _allowed_width(self) -> "ImagesConfig":
        if self.width not in ALLOWED_THUMBNAIL_WIDTHS:
            raise ValueError(f"Wikimedia serves thumbnails only at {ALLOWED_THUMBNAIL_WIDTHS} pixels")
        return self


class ScreenConfig(Config):
    """Which pictures stay, and what becomes of them."""

    min_side: Positive = 128
    """Pixels of the shorter side."""
    max_pixels: Positive = 60_000_000
    max_bytes: Positive = 40_000_000
    max_distance: Annotated[int, Field(ge=0, le=12)] = 6
    """Two pictures are the same if their 64-bit perceptual hashes differ in at most this many bits."""
    min_views: Annotated[int, Field(ge=0, le=4)] = 4
    """Subjects with fewer clean pictures are kept out; 0 keeps subjects without any picture."""
    faces: Literal["off", "one"] = "off"
    """One: only pictures with exactly one face, frontal or in profile (needs the extra `faces`)."""
    max_side: Positive = 960
    """Larger pictures are scaled down to this longer side for the dataset."""


class QuestionsConfig(Config):
    """How facts are asked."""

    paraphrases: Annotated[int, Field(ge=0, le=8)] = 2
    """Other wordings kept per generation question."""


class ProbeConfig(Config):
    """What counts as known. See DESIGN: greedy right, k of n further asks right, and the face must matter."""

    responder: str = "hf:sandbox"
    """`hf:<path-or-id>`, `openai:<base-url>[,<base-url>…]#<model>`; `hf:sandbox` is the embedded world's own target."""
    paraphrased: Count = 2
    """Further asks in other words, greedy."""
    sampled: Count = 0
    """Further asks at `temperature`."""
    agree: Count = 1
    """Least number of further asks that must be right."""
    temperature: Annotated[float, Field(gt=0)] = 0.7
    controls: tuple[Literal["no_image", "wrong_image"], ...] = ("no_image", "wrong_image")
    max_new_tokens: Positive = 24
    tolerated_errors: Share = 0.0
    """Share of a shard's asks that may fail for good; more of them leave the probe unfinished, to be gone on with."""
    batch: Positive = 64
    """Prompts a batch of a local model."""

    @model_validator(mode="after")
    def _enough_asks(self) -> "ProbeConfig":
        if self.agree > self.paraphrased + self.sampled:
            raise ValueError(f"agree = {self.agree} but only {self.paraphrased + self.sampled} further asks are made")
        return self


class SplitConfig(Config):
    """Who forgets what."""

    ratios: Annotated[tuple[int, ...], Field(min_length=1)] = RATIOS
    """Percent of subjects forgotten in the complete setting."""
    rater: str = "built-in"
    """`built-in` (seeded preference model) or `openai:<base-url>#<model>`."""
    raters: Annotated[int, Field(ge=1)] = 5
    """Odd number of votes per fact."""
    forget_share: Share = 0.257
    """Mean share of a subject's facts that the personalized setting forgets; the published value."""
    sensitive_share: Share = 0.86
    """Share of the forgotten facts that are sensitive; the published value."""

    @model_validator(mode="after")
    def _odd(self) -> "SplitConfig":
        if self.raters % 2 == 0:
            raise ValueError("raters must be odd, so that a majority exists")
        if list(self.ratios) != sorted(set(self.ratios)) or not all(0 < ratio < 100 for ratio in self.ratios):
            raise ValueError("ratios must rise and lie between 1 and 99")
        return self


class AttackConfig(Config):
    """Who writes the attacks."""

    author: str = "templates"
    """`templates` (seeded, offline) or `openai:<base-url>#<model>`."""


class ExportConfig(Config):
    """What the dataset is called and how its files are cut."""

    title: str = "PPU-Bench"
    target: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")] = "target"
    """The target's short name in `train_pair_<target>`."""
    contact: str = ""
    """Where to ask for a person's removal; needed to publish."""
    rows_per_file: Positive = 20_000
    rows_per_group: Positive = 100


class ServersConfig(Config):
    """How `openai:` servers are asked. Only `image_side` changes what is made, and it is part of the target's name."""

    concurrency: Positive = 16
    """Most open requests at each server; halved when it says that it is busy, and raised again bit by bit."""
    requests_per_minute: Count = 0
    """Most requests at each server, evenly spaced; 0: as fast as it answers."""
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    image_side: Count = 0
    """Pixels of the longer side to which larger pictures are scaled down before they are sent; 0: sent as they are."""


class WorkersConfig(Config):
    """Language models that polish questions, vote and write attacks: what they may cost, and what stands in for them.

    The budget is that of the build folder: what earlier runs spent counts. Prices are per million tokens.
    """

    polisher: str = ""
    """`openai:<base-url>#<model>` puts questions and their paraphrases into better words; "": they stay as they are."""
    fall_back: bool = False
    """Whether the built-in does what a model answered unusably twice. False: the build stops and says so."""
    max_tokens: Count = 0
    """Most tokens in and out together; 0: no limit."""
    max_cost: Annotated[float, Field(ge=0)] = 0.0
    """In the currency of the prices; 0: no limit."""
    price_in: Annotated[float, Field(ge=0)] = 0.0
    price_out: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _priced(self) -> "WorkersConfig":
        if self.max_cost and not (self.price_in or self.price_out):
            raise ValueError("max_cost needs price_in and price_out, per million tokens")
        return self


class BuildRecipe(Config):
    """All of a build."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    seed: int = 7
    shard: Positive = 50
    """Subjects a shard: the unit of work, of resuming and of memory, the same through all stages."""
    source: SourceConfig
    select: SelectConfig = SelectConfig()
    facts: FactsConfig = FactsConfig()
    images: ImagesConfig = ImagesConfig()
    screen: ScreenConfig = ScreenConfig()
    questions: QuestionsConfig = QuestionsConfig()
    probe: ProbeConfig = ProbeConfig()
    split: SplitConfig = SplitConfig()
    attack: AttackConfig = AttackConfig()
    export: ExportConfig = ExportConfig()
    servers: ServersConfig = ServersConfig()
    workers: WorkersConfig = WorkersConfig()

    @model_validator(mode="after")
    def _wordings_enough(self) -> "BuildRecipe":
        if self.probe.paraphrased > self.questions.paraphrases:
            raise ValueError(
                f"probe.paraphrased = {self.probe.paraphrased} but questions.paraphrases = {self.questions.paraphrases}"
            )
        return self


def read_build_recipe(path: Path) -> BuildRecipe:
    """The recipe of a TOML file; raises BadInput naming the key that is wrong and the nearest known key."""
    return read_recipe(path, BuildRecipe)


def read_recipe(path: Path, model: type[RecipeModel]) -> RecipeModel:
    """A TOML file as a recipe of any kind; raises BadInput naming the key that is wrong and the nearest known key."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(str(path), "no such file", "name a recipe; flows/recipes/ has some") from None
    except IsADirectoryError:
        raise BadInput(str(path), "is a folder, not a recipe", "name a TOML file; flows/recipes/ has some") from None
    except PermissionError:
        raise BadInput(str(path), "may not be read", "change its mode, or name another recipe") from None
    except UnicodeDecodeError:
        advice = "name a TOML file; flows/recipes/ has some"
        raise BadInput(str(path), "is not a text file in UTF-8, so no recipe", advice) from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(str(path), f"is not TOML ({error})", "mend the line named") from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        kinds = sorted(KINDS.keys() & content.keys())
        if kinds and not any(key in model.model_fields for key in kinds):
            kind = KINDS[kinds[0]]
            raise BadInput(str(path), f"is the recipe of a {kind}", f"run `ppubench {kind}` with it") from None
        raise BadInput(str(path), _first_problem(error, model), "mend the recipe") from error


def _first_problem(error: ValidationError, model: type[Config]) -> str:
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        import difflib

        known = _keys_at(model, place[:-1])
        near = difflib.get_close_matches(place[-1], known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known keys here: {', '.join(sorted(known))}"
        return f"key {'.'.join(place)} is not known{hint}"
    if first["type"] == "missing":
        return f"key {'.'.join(place)}: {first['msg']}"
    return f"key {'.'.join(place) or '(top level)'}: {first['msg']} (found {str(first['input'])[:80]!r})"


def _keys_at(model: type[Config], place: list[str]) -> list[str]:
    if place and place[0] == "source":
        kinds: tuple[type[Config], ...] = (SandboxSource, WikimediaEndpoints, RecordedSource, DumpExtract)
        return sorted({key for kind in kinds for key in kind.model_fields})
    for part in place:
        annotation = model.model_fields[part].annotation
        if isinstance(annotation, type) and issubclass(annotation, Config):
            model = annotation
    return list(model.model_fields)


BUILT_IN = "built-in"

TEMPLATES = "templates"

RATER, AUTHOR, POLISHER = "[split] rater", "[attack] author", "[workers] polisher"
"""Where a recipe names its language models."""
