"""Recipes: every wrong one is refused with a line that names the key."""

import tomllib
from pathlib import Path

import pytest

from schemas.errors import BadInput
from schemas.recipes.build_recipe import BuildRecipe, read_build_recipe, read_recipe
from schemas.records.study import StudyRecipe
from tests.documents import ROOT

RECIPES = ROOT / "flows" / "recipes"
MINIMAL = 'name = "x"\n[source]\nkind = "sandbox"\n'


def recipe(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('name = "x"\nsed = 3\n[source]\nkind = "sandbox"\n', "key sed is not known; did you mean seed"),
        (MINIMAL + "[probe]\npharaphrased = 3\n", "key probe.pharaphrased is not known; did you mean paraphrased"),
        (MINIMAL + "peple = 3\n", "key source.sandbox.peple is not known; did you mean people"),
        (MINIMAL + '[probe]\nagree = "two"\n', "key probe.agree: .*found 'two'"),
        (MINIMAL + "[probe]\nagree = 9\n", "key probe: .*agree = 9 but only 2 further asks"),
        (MINIMAL + "[split]\nraters = 4\n", "raters must be odd"),
        (MINIMAL + "[split]\nratios = [30, 5]\n", "ratios must rise"),
        (MINIMAL + "[images]\nwidth = 1000\n", "serves thumbnails only at"),
        ('name = "x"\n', "key source: Field required; mend"),
        ('name = "x"\nmethods = ["ga"]\n', "is the recipe of a study; run `ppubench study` with it"),
        ('name = "x"\n[source]\nkind = "wikidata"\n', "contact: Field required"),
        ('name = "../x"\n[source]\nkind = "sandbox"\n', "key name: "),
        ("name = ", "is not TOML"),
    ],
)
def test_a_wrong_recipe_is_refused_with_the_key(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(BadInput, match=line) as caught:
        read_build_recipe(recipe(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert "recipe.toml" in str(caught.value)


def test_the_recipe_of_a_build_is_refused_as_one_of_a_study(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is the recipe of a build; run `ppubench build` with it"):
        read_recipe(recipe(tmp_path, MINIMAL), StudyRecipe)


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder, not a recipe"):
        read_build_recipe(tmp_path)


def test_a_file_that_is_no_text_is_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"\x7fELF\xff\xfe\x00")
    with pytest.raises(BadInput, match="is not a text file in UTF-8, so no recipe"):
        read_build_recipe(tmp_path / "x.toml")


def test_a_missing_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nothere.toml: no such file"):
        read_build_recipe(tmp_path / "nothere.toml")


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_of_the_project_reads(path: Path) -> None:
    if "methods" in tomllib.loads(path.read_text()):
        assert read_recipe(path, StudyRecipe).methods
    else:
        assert read_build_recipe(path).name == path.stem


def test_the_demo_recipe_names_every_key() -> None:
    found = tomllib.loads((RECIPES / "demo.toml").read_text())
    for name, field in BuildRecipe.model_fields.items():
        assert name in found
        if name != "source" and isinstance(found[name], dict):
            assert set(found[name]) == set(field.annotation.model_fields)  # type: ignore[union-attr]


OF_THE_DEMO = {("name",), ("source",), ("facts", "gated"), ("export", "title"), ("export", "target")}
"""Keys that the demo gives values of its own, as its head says."""


def leaves(content: dict[str, object], place: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    """Every value of a recipe by its place, but for those that are the demo's own."""
    found: dict[tuple[str, ...], object] = {}
    for key, value in content.items():
        if (*place, key) not in OF_THE_DEMO:
            found |= leaves(value, (*place, key)) if isinstance(value, dict) else {(*place, key): value}
    return found


def test_every_key_of_the_demo_equals_its_default() -> None:
    demo = tomllib.loads((RECIPES / "demo.toml").read_text())
    defaults = BuildRecipe.model_validate({"name": "x", "source": {"kind": "sandbox"}}).model_dump(mode="json")
    assert leaves(demo) == {place: value for place, value in leaves(defaults).items() if place in leaves(demo)}


def test_the_demo_shows_every_key_of_its_stages() -> None:
    demo = tomllib.loads((RECIPES / "demo.toml").read_text())
    defaults = BuildRecipe.model_validate({"name": "x", "source": {"kind": "sandbox"}}).model_dump(mode="json")
    assert set(leaves(demo)) == set(leaves(defaults))
