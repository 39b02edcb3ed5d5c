"""Pictures set aside by title, caption and shape, and the portraits that stay."""

import pytest

from curation.images.portrait_filter import portrait_problem
from schemas.protocols.source import CommonsFile
from schemas.records.build_rows import Licence

LICENCE = Licence(
    short_name="CC0", code="cc0", url="", usage_terms="", artist="", credit="", attribution="",
    attribution_required=False, restrictions="", non_free=False,
)  # fmt: skip
NAMES = ("Terence Stamp", "T. Stamp")


def file(
    title: str, *, caption: str = "", origin: str = "category", size: tuple[int, int] = (900, 1200)
) -> CommonsFile:
    return CommonsFile(
        title=title, origin=origin, page_id=1, source_url="", thumb_url="", description_url="", description=caption,
        width=size[0], height=size[1], mime="image/jpeg", sha1="", timestamp="", licence=LICENCE,
    )  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        (file("Terence Stamp signature.svg"), "'signature'"),
        (file("Signature of Terence Stamp.png", origin="portrait"), "'signature'"),
        (file("Grave of Terence Stamp 02.jpg"), "'grave'"),
        (file("Terence Stamp statue, London.jpg"), "'statue'"),
        (file("TERENCE STAMP'S STAR, WALK OF FAME.JPG"), "'walk of fame'"),
        (file("DSC 0042.jpg", caption="Signature of the actor Terence Stamp"), "'signature of'"),
        (file("DSC 0042.jpg", caption="The birthplace of Terence Stamp"), "'the birthplace of'"),
        (file("Terence Stamp and Julie Christie.jpg"), "'and Julie'"),
        (file("Terence Stamp with the Queen, 1966.jpg"), "'with the Queen'"),
        (file("Julie Christie & Terence Stamp.jpg"), "names company"),
        (file("Cast of Far from the Madding Crowd.jpg"), "'cast of'"),
        (file("Terence Stamp banner.jpg", size=(2300, 1000)), "2300 x 1000"),
        (file("Terence Stamp scroll.jpg", size=(300, 1000)), "300 x 1000"),
    ],
)
def test_things_groups_and_banners_are_set_aside(picture: CommonsFile, why: str) -> None:
    found = portrait_problem(picture, NAMES)
    assert found is not None
    assert found.reason == "not_a_portrait"
    assert why in found.detail


KEPT = (
    "_, Minister of Culture and National Heritage", "_ Head and Shoulders", "_, Saint Vincent and the Grenadines",
    "_ by Maull and Polyblank", "_ by Elliott & Fry", "_ Harris & Ewing photo", "_ Romeo and Juliet",
    "_ in Pride and Prejudice", "_ Stamp Collector", "Map maker _", "_ Poster Session 2010",
    "_ statue unveiling speech",
    "_ head of the EU Delegation 2010", "_ US delegation leader", "_ film crowd funding", "_, Bishop of Bath and Wells",
    "_, Johnson and Johnson CEO", "_ with the FIFA World Cup Trophy", "_, ministro de Economía y Hacienda",
    "_, Bundesminister für Ernährung und Landwirtschaft", "_ in The Young and the Restless", "_, Papua and New Guinea",
    "_, Jammu and Kashmir", "_, Gold and Silver medallist", "_ Track and Field", "_ with Violin and Bow",
    "Governor-General _ at Government House of Canada", "_ bust portrait", "_ Park City 2010", "_ White House portrait",
    "Speaker of the House of Keys _", "Selbstporträt _ mit Hund", "_ (Trinidad and Tobago)",
)  # fmt: skip
SET_ASIDE = (
    "_, John Roe and Jane Poe", "John Roe and _", "_ (left) and John Roe", "Bust of _", "_ Büste", "Tombe de _",
    "_ birth house", "_ Geburtshaus", "_ family", "_'s house", "Firma de _", "_ Gedenktafel", "_ street", "Avenue _",
    "_ Museum", "_ with wife", "_ and his children", "Letter by _", "_ handprint", "Coin of _", "_ und Angela Merkel",
)  # fmt: skip


@pytest.mark.parametrize("title", KEPT)
def test_what_is_joined_in_an_office_a_work_or_a_firm_is_no_company(title: str) -> None:
    assert portrait_problem(file(f"{title}.jpg".replace("_", "Terence Stamp")), NAMES) is None


@pytest.mark.parametrize("title", SET_ASIDE)
def test_company_and_things_of_the_person_are_set_aside(title: str) -> None:
    assert portrait_problem(file(f"{title}.jpg".replace("_", "Terence Stamp")), NAMES) is not None


@pytest.mark.parametrize(
    "picture",
    [
        file("Terence Stamp 2013.jpg"),
        file("T. Stamp at the premiere.jpg"),
        file("Terence Stamp with a friend.jpg"),
        file("Terence Stamp and dog.jpg"),
        file("Terence Stamp.jpg", caption="Terence Stamp after unveiling the statue of a friend"),
        file("Terence Stamp and Julie Christie.jpg", origin="portrait"),
        file("Terence Stamp.jpg", size=(2200, 1000)),
        file("Gravesend, Terence Stamp.jpg"),
        file("Speaker of the House of Representatives Mike Doe official portrait.jpg"),
        file("Department of Housing and Urban Development Secretary Ben Doe.jpg"),
        file("Jan Doe - Self-Portrait with Fur-Trimmed Robe.jpg"),
        file("Terence Stamp with Red Hat.jpg"),
        file("Terence Stamp, House of Lords.jpg"),
        file("Terence Stamp, Minister for Culture, Media and Sport.jpg"),
        file("Terence Stamp in Bosnia and Herzegovina.jpg"),
    ],
)
def test_a_picture_that_is_theirs_by_title_is_kept(picture: CommonsFile) -> None:
    assert portrait_problem(picture, NAMES) is None
