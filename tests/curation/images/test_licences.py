"""Which licences let a picture in, and what its credit line says."""

import pytest

from curation.images.licences import licence_problem
from schemas.records.build_rows import Licence

NOTHING = Licence(
    short_name="", code="", url="", usage_terms="", artist="", credit="", attribution="",
    attribution_required=False, restrictions="", non_free=False,
)  # fmt: skip


def named(short_name: str) -> Licence:
    return NOTHING.model_copy(update={"short_name": short_name})


@pytest.mark.parametrize(
    "short_name",
    [
        "CC0", "CC BY 2.0", "CC BY-SA 4.0", "CC BY-SA 3.0 de", "CC BY-SA 2.5-2.0-1.0", "Public domain", "PD-USGov",
        "GFDL", "GFDL 1.2+", "FAL", "Free Art License", "OGL 3", "OGL v1.0", "GODL-India", "No restrictions",
        "KOGL Type 1", "dl-de/by-2-0", "Attribution", "Copyrighted free use",
    ],
)  # fmt: skip
def test_free_licences_let_a_picture_in(short_name: str) -> None:
    assert licence_problem(named(short_name)) is None


@pytest.mark.parametrize("code", ["cc0", "cc-by-2.0", "cc-by-sa-3.0-es", "cc-by-sa-all", "pd", "gfdl"])
def test_a_licence_code_alone_is_enough(code: str) -> None:
    assert licence_problem(NOTHING.model_copy(update={"code": code})) is None


@pytest.mark.parametrize(
    "url", ["https://creativecommons.org/licenses/by-sa/4.0", "http://creativecommons.org/publicdomain/zero/1.0/"]
)
def test_a_licence_address_alone_is_enough(url: str) -> None:
    assert licence_problem(NOTHING.model_copy(update={"url": url})) is None


@pytest.mark.parametrize(
    "short_name",
    ["CC BY-NC 2.0", "CC BY-ND 4.0", "CC BY-NC-SA 3.0", "cc-by-nc-nd-2.0", "Fair use", "All rights reserved",
     "Attribution-NonCommercial", "Attribution-NoDerivs 2.0", "KOGL Type 2"],
)  # fmt: skip
def test_non_free_licences_keep_a_picture_out(short_name: str) -> None:
    refusal = licence_problem(named(short_name))
    assert refusal is not None
    assert refusal.reason == "licence_not_free"
    assert short_name in refusal.detail


def test_a_non_commercial_address_outweighs_a_free_name() -> None:
    licence = named("CC BY 2.0").model_copy(update={"url": "https://creativecommons.org/licenses/by-nc/2.0"})
    assert licence_problem(licence) is not None


def test_a_file_flagged_as_non_free_stays_out_whatever_its_licence_says() -> None:
    assert licence_problem(named("CC BY 2.0").model_copy(update={"non_free": True}))[0] == "licence_not_free"


def test_a_file_without_any_licence_is_missing_its_licence() -> None:
    assert licence_problem(NOTHING) == ("licence_missing", "no licence is stated")


@pytest.mark.parametrize("short_name", ["Custom", "pdfoo", "byline"])
def test_an_unknown_licence_is_not_taken_for_free(short_name: str) -> None:
    assert licence_problem(named(short_name)) == ("licence_not_free", f"{short_name}: not on the list of free licences")


def test_personality_rights_do_not_keep_a_picture_out_but_trademarks_do() -> None:
    personal = named("CC0").model_copy(update={"restrictions": "personality"})
    assert licence_problem(personal) is None
    trademarked = named("CC0").model_copy(update={"restrictions": "personality|trademarked"})
    assert licence_problem(trademarked) == ("licence_not_free", "CC0: restricted (trademarked)")
