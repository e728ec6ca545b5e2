"""A language model's folder that ``agentnb optimize`` wrote says in which precision it was judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentnb.adapters.openvino import catalog
from agentnb.errors import ConfigurationError


def test_the_precision_that_was_judged_is_the_one_that_is_used(tmp_path: Path) -> None:
    assert catalog.properties(tmp_path, "CPU") == {}
    told = {"device": "CPU", "properties": {"INFERENCE_PRECISION_HINT": "f32"}}
    (tmp_path / "agentnb.json").write_text(json.dumps(told))
    assert catalog.properties(tmp_path, "CPU") == told["properties"]
    assert catalog.properties(tmp_path, "GPU") == {}
    (tmp_path / "agentnb.json").write_text("{")
    with pytest.raises(ConfigurationError, match="optimize the model again"):
        catalog.properties(tmp_path, "CPU")
