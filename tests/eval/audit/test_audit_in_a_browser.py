"""An audit in a real browser: the two answers stand first, tables can be reached by keyboard, the facts fold."""

from pathlib import Path

import pytest

from eval.audit.audit_files import write_audit
from tests.eval.audit.test_audit_files import HOSTILE, columns, leaking, lucky, record
from tests.servers.browser import CHROMIUM, WHY_NOT, Seen, page_after_scripts

pytestmark = pytest.mark.skipif(not CHROMIUM, reason=WHY_NOT)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("audit")
    run = {**leaking().run, "asked": record("asked", lucky(0.02, seed="x", best=HOSTILE, kind=HOSTILE))}
    run |= columns(over_refusal=0.1)
    audit = leaking(run=run, target={**leaking().target, **columns(over_refusal=0.0)}, name=HOSTILE)
    page: Path = write_audit([audit], title=HOSTILE, out=folder).html
    return Seen(page_after_scripts(page, home=folder / "browser"))


def test_the_two_answers_stand_before_every_table(seen: Seen) -> None:
    gone, cost = seen.text.index("Not gone: one in three facts"), seen.text.index("The dearest cost: ")
    assert gone < cost < seen.text.index("any of 3 routes together")


def test_every_table_scrolls_by_keyboard(seen: Seen) -> None:
    regions = [cells for tag, cells in seen.elements if tag == "div" and cells.get("role") == "region"]
    assert len(regions) == sum(tag == "table" for tag, _ in seen.elements)
    assert all(cells.get("tabindex") == "0" and cells.get("aria-label") for cells in regions)


def test_the_facts_of_each_person_are_folded(seen: Seen) -> None:
    assert sum("of 10 facts come back" in (cells.get("aria-label") or "") for _, cells in seen.elements) == 20
    assert not any("open" in cells for tag, cells in seen.elements if tag == "details")


def test_text_from_outside_makes_no_element(seen: Seen) -> None:
    assert not any(tag == "img" for tag, _ in seen.elements)
    assert HOSTILE in seen.text
