"""flows.resources.oracle: what no oracle can be taught of is refused before anything is taught."""

from pathlib import Path

import pytest

from flows.resources.oracle import ensure_oracle, oracle_name
from schemas.errors import BadInput
from tests.worlds.eval_world import write_dataset


def test_a_dataset_that_is_no_build_has_no_oracle(tmp_path: Path) -> None:
    hub = write_dataset(tmp_path / "dataset", people=3)
    with pytest.raises(BadInput, match="needs a build"):
        ensure_oracle(hub, str(tmp_path / "target"), "personalized", None, out=tmp_path / "oracle")


def test_an_oracle_of_complete_says_its_ratio() -> None:
    assert oracle_name("complete", 30) == "oracle_complete_r30"
    assert oracle_name("personalized", None) == "oracle_personalized"
