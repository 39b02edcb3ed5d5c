"""flows.resources.oracle: what no oracle can be taught of is refused before anything is taught."""

from pathlib import Path

import pytest

from flows.resources.oracle import ensure_oracle
from schemas.errors import BadInput
from tests.worlds.eval_world import write_dataset


def test_a_dataset_that_is_no_build_has_no_oracle(tmp_path: Path) -> None:
    hub = write_dataset(tmp_path / "dataset", people=3)
    with pytest.raises(BadInput, match="needs a build"):
        ensure_oracle(hub, str(tmp_path / "target"), "personalized", None, out=tmp_path / "oracle")
