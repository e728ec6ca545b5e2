"""GGUF files in formats that OpenVINO can't read, on real weights."""

from __future__ import annotations

from pathlib import Path

import gguf
import pytest

from agentnb.adapters.openvino import OpenVINOProvider, requantise
from agentnb.adapters.openvino.catalog import KNOWN
from agentnb.adapters.openvino.gguf import converted
from agentnb.errors import ConfigurationError
from agentnb.ports.model import Message, ModelRequest
from tests.support.gguf_files import one_layer

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def q5(local_model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return one_layer(KNOWN[local_model.partition(":")[2]].file, tmp_path_factory.mktemp("gguf") / "q5.gguf", "Q5_0")


async def test_a_file_in_q5_is_rewritten_and_answers(q5: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTNB_CACHE", str(tmp_path / "cache"))
    model = OpenVINOProvider().model(str(q5))
    response = await model.generate(ModelRequest("x", (Message("user", "Hi"),), options={"max_tokens": 4}))
    assert response.usage.output_tokens > 0
    [folder] = (tmp_path / "cache" / "models" / "converted").iterdir()
    assert {"openvino_model.xml", "openvino_tokenizer.xml", "config.json"} <= {path.name for path in folder.iterdir()}
    assert not (folder / "model.gguf").exists()


def test_only_what_cannot_be_read_is_changed(q5: Path, tmp_path: Path) -> None:
    assert requantise.rewritten(q5, tmp_path / "new.gguf") == 7
    old, new = gguf.GGUFReader(q5), gguf.GGUFReader(tmp_path / "new.gguf")
    facts = [{name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")} for reader in (old, new)]
    assert facts[0] == facts[1]
    for one, other in zip(old.tensors, new.tensors, strict=True):
        assert (one.name, list(one.shape)) == (other.name, list(other.shape))
        if one.tensor_type.name == "Q5_0":
            assert other.tensor_type.name == "Q8_0"
            first, second = (gguf.dequantize(tensor.data, tensor.tensor_type) for tensor in (one, other))
            assert abs(first - second).max() <= abs(first).max() / 100
        else:
            assert (one.data == other.data).all()


def test_a_file_that_is_cut_off_is_named(q5: Path, tmp_path: Path) -> None:
    file = tmp_path / "cut.gguf"
    file.write_bytes(q5.read_bytes()[:-30_000_000])
    with pytest.raises(ConfigurationError, match=r"cut\.gguf"):
        requantise.rewritten(file, tmp_path / "new.gguf")
    with pytest.raises(ConfigurationError, match=r"cut\.gguf"):
        converted(file, tmp_path / "cache")
    assert list((tmp_path / "cache").rglob("*.xml")) == []
