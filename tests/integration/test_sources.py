"""Readers of models: an encoder from safetensors against its layers in numpy, its tokenizer, and what the others need."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import agentnb as anb
from agentnb.errors import ConfigurationError, MissingExtra
from agentnb.optimization.execution import Compiled
from agentnb.optimization.export import load
from agentnb.optimization.inputs import Fitting
from agentnb.optimization.sources import encoder, open_source
from tests.support import networks

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.encoder(tmp_path_factory.mktemp("encoder") / "enc")


def forward(folder: Path, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """BERT as its paper has it, in float64."""
    weights = {name: np.asarray(value, np.float64) for name, value in encoder.read_tensors(folder / "model.safetensors").items()}
    config = json.loads((folder / "config.json").read_text())
    heads, erf = config["num_attention_heads"], np.vectorize(math.erf)

    def dense(name: str, value: np.ndarray) -> np.ndarray:
        return value @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name: str, value: np.ndarray) -> np.ndarray:
        centred = value - value.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12) * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    words, places, kinds = (weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type"))
    hidden = norm("embeddings.LayerNorm", words[ids] + places[: ids.shape[1]] + kinds[0])
    for layer in range(config["num_hidden_layers"]):
        name = f"encoder.layer.{layer}."
        query, key, value = (
            dense(f"{name}attention.self.{part}", hidden).reshape(*ids.shape, heads, -1).transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / math.sqrt(query.shape[-1]) + np.where(mask, 0, -1e30)[:, None, None]
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True) @ value).transpose(0, 2, 1, 3).reshape(hidden.shape)
        hidden = norm(f"{name}attention.output.LayerNorm", dense(f"{name}attention.output.dense", mixed) + hidden)
        wide = dense(f"{name}intermediate.dense", hidden)
        hidden = norm(f"{name}output.LayerNorm", dense(f"{name}output.dense", wide * 0.5 * (1 + erf(wide / math.sqrt(2)))) + hidden)
    return hidden


def test_the_encoder_computes_what_bert_does(folder: Path) -> None:
    source = open_source(folder)
    assert (source.format, source.kind) == ("safetensors", "encoder")
    inputs = Fitting(source).of_texts(["word1 word2 word3", "word4"])
    found = Compiled(source.model, "network", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).answer(inputs)
    wanted = forward(folder, inputs["input_ids"], inputs["attention_mask"])
    seen = inputs["attention_mask"].astype(bool)
    assert np.abs(found - wanted)[seen].max() < 1e-4


def test_the_tokenizer_writes_bert_s_tokens(folder: Path) -> None:
    inputs = Fitting(open_source(folder)).of_texts(["Word0, WORD1s.\n", "[SEP] wörd2 nonsense", ""])
    assert inputs["input_ids"].tolist() == [
        [2, 7, 5, 8, 4, 6, 3],
        [2, 3, 9, 1, 3, 0, 0],
        [2, 3, 0, 0, 0, 0, 0],
    ]
    assert inputs["attention_mask"].sum(-1).tolist() == [7, 5, 2]


def test_long_texts_are_cut_off_where_the_model_ends(folder: Path) -> None:
    inputs = Fitting(open_source(folder)).of_texts(["word1 " * 500])
    assert inputs["input_ids"].shape == (1, 64)
    assert inputs["input_ids"][0, -1] == 3


def test_an_optimized_encoder_serves_openvino_genai(folder: Path, tmp_path: Path) -> None:
    import openvino_genai

    texts = networks.sentences(24)
    recipes = ("int8-transformer+f32", "int8-transformer-smooth-80+f32")
    found = anb.optimize(folder, calibration=texts, output="out", to="int8", only=recipes, max_drop=0.1, progress=False)
    assert {row["recipe"]["name"] for row in found.report["recipes"]} == set(recipes)
    assert {"openvino_tokenizer.xml", "config.json", "tokenizer.json"} <= {path.name for path in found.folder.iterdir()}
    pipeline = openvino_genai.TextEmbeddingPipeline(
        str(found.folder), "CPU", pooling_type=openvino_genai.TextEmbeddingPipeline.PoolingType.MEAN
    )
    served = np.array(pipeline.embed_documents(texts[:3]))
    inputs = Fitting(open_source(folder)).of_texts(texts[:3])
    assert (served * load(found.folder).answer(inputs)).sum(-1).min() > 0.98
    again = anb.optimize("out", calibration=texts, output="twice", to="auto", only=("fp32",), progress=False)
    assert again.report["source"]["format"] == "ir"


async def test_an_optimized_encoder_embeds(folder: Path, tmp_path: Path) -> None:
    texts = networks.sentences(24)
    found = anb.optimize(folder, calibration=texts, output="out", to="int8", only=("int8-weights-sym+f32",), max_drop=0.1, progress=False)
    name = f"openvino:{found.folder}"
    vectors = np.array(await anb.embed([texts[0], f"{texts[1]} {texts[2]}"], model=name))
    for text, vector in zip([texts[0], f"{texts[1]} {texts[2]}"], vectors, strict=True):
        assert vector == pytest.approx(load(found.folder).answer(Fitting(open_source(folder)).of_texts([text]))[0], abs=1e-4)
    with pytest.raises(ConfigurationError, match="no language model: use it for embeddings"):
        anb.current().models.open(name)
    (found.folder / "openvino_model.bin").write_bytes(b"")
    copied = shutil.copytree(found.folder, tmp_path / "damaged")
    with pytest.raises(ConfigurationError, match="can't be loaded .*optimize the encoder again"):
        await anb.embed(texts[:1], model=f"openvino:{copied}")


def test_damaged_encoders_are_named(folder: Path, tmp_path: Path) -> None:
    def copy(name: str) -> Path:
        made = tmp_path / name
        made.mkdir()
        for file in folder.iterdir():
            (made / file.name).write_bytes(file.read_bytes())
        return made

    cut = copy("cut")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:-100])
    header = copy("header")
    (header / "model.safetensors").write_bytes((1 << 40).to_bytes(8, "little") + b"{}")
    family = copy("family")
    (family / "config.json").write_text('{"model_type": "t5"}')
    fewer = copy("fewer")
    config = json.loads((fewer / "config.json").read_text())
    (fewer / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 9}))
    words = copy("words")
    (words / "tokenizer.json").write_text("{}")
    without = copy("without")
    (without / "tokenizer.json").unlink()
    text = copy("text")
    (text / "config.json").write_text("[]")
    heads = copy("heads")
    (heads / "config.json").write_text(json.dumps({**config, "num_attention_heads": 0}))
    wide = copy("wide")
    (wide / "config.json").write_text(json.dumps({**config, "hidden_size": 48}))
    cases = {
        text: "config.json can't be read",
        heads: "heads can't be built",
        wide: "its weights belong to another",
        cut: "ends inside a tensor",
        header: "longer than the file",
        family: "family 't5'",
        fewer: "don't belong together",
        words: "tokenizer.json can't be read",
        without: "no tokenizer beside it",
    }
    for place, message in cases.items():
        with pytest.raises(ConfigurationError, match=message):
            anb.optimize(place, calibration=["word1"] * 4, output=tmp_path / "out", progress=False)


def test_an_encoder_in_shards(folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "shards"
    made.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (made / name).write_bytes((folder / name).read_bytes())
    tensors = encoder.read_tensors(folder / "model.safetensors")
    places = {name: f"model-0000{number % 2 + 1}-of-00002.safetensors" for number, name in enumerate(tensors)}
    for file in set(places.values()):
        networks.write_safetensors(made / file, {name: np.array(tensors[name]) for name in places if places[name] == file})
    (made / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    inputs = Fitting(open_source(folder)).of_texts(["word1 word2"])
    one, other = (Compiled(open_source(place).model, "encoder", "CPU", {}).answer(inputs) for place in (folder, made))
    assert np.array_equal(one, other)
    (made / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ConfigurationError, match=r"model-00002-of-00002\.safetensors is missing: model\.safetensors\.index\.json names it"):
        open_source(made)


def test_tensorflow_lite(tmp_path: Path) -> None:
    model = networks.tflite(tmp_path / "one.tflite")
    data = [np.random.default_rng(number).normal(0, 1, (1, 8)) for number in range(8)]
    found = anb.optimize(model, calibration=data, output="out", only=("fp32",), progress=False)
    assert found.report["source"]["format"] == "tflite"
    assert load(found.folder).answer({"x": np.ones((1, 8), np.float32)}).tolist() == [[4, 4, 4, 4]]


@pytest.mark.model
@pytest.mark.timeout(600)
def test_gguf() -> None:
    """A file that is in 4 bits already: its recipes have nothing to do, and the report says so."""
    model = anb.current().models.pull("smollm2-135m", lambda *_: None).path
    texts = [
        "Water boils at one hundred degrees.",
        "The train was late again.",
        "She read the letter twice.",
        "Bread needs flour and water.",
    ]
    found = anb.optimize(model, calibration=texts, output="out", only=("fp32", "int8-weights-sym+f32"), progress=False)
    assert (found.report["source"]["kind"], found.recipe) == ("llm", "fp32")
    assert found.report["recipes"][1]["reason"] == "the weights are quantised already, so that nothing changes"
    assert (found.folder / "openvino_tokenizer.xml").is_file()


def test_a_pytorch_module_needs_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else found(name, *rest))
    with pytest.raises(MissingExtra, match="torch is not installed"):
        anb.optimize(object(), calibration=[np.zeros(3)] * 4, output="out", progress=False)


def test_nncf_is_named_with_its_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingExtra, match=r"pip install 'jupyter-agentnb\[optimize\]'"):
        anb.optimize(folder, calibration=networks.sentences(4), output="out", to="int8", only=("int8-default",), progress=False)


_QUIET = """
import socket, sys
tried = []
class Watched(socket.socket):
    def connect(self, address): tried.append(address); raise OSError("no network in this test")
    connect_ex = connect
socket.socket = Watched
socket.getaddrinfo = lambda *a, **k: tried.append(a) or []
from agentnb.optimization.packages import core, nncf
from tests.support import networks
from pathlib import Path
model = core().read_model(networks.classifier(Path("net.onnx")))
nncf().compress_weights(model)
from agentnb.telemetry import _Silent
import openvino_telemetry
assert openvino_telemetry.Telemetry is _Silent, openvino_telemetry
import threading, time
assert not tried, tried
assert not [t for t in threading.enumerate() if "telemetry" in t.name.lower()]
"""


def test_nncf_sends_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{_QUIET}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_variable_of_the_notebook_can_be_optimized(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.delenv("VIRTUAL_ENV", raising=False)  # IPython warns of another environment that is active
    shell = InteractiveShell()
    shell.run_line_magic("load_ext", "agentnb")
    shell.user_ns.update(texts=networks.sentences(8), good=lambda output, target: 1.0)
    found = shell.run_line_magic("agentnb", f"optimize {folder} --calibration texts --metric good -o out --recipe bf16 --recipe fp32")
    assert isinstance(found, anb.Optimized)
    html = shell.display_formatter.format(found)[0]["text/html"]
    assert "<svg" in html
    assert "fp32" in html
    view = shell.run_line_magic("agentnb", f"benchmark {folder} --length 8 --repetitions 1 --seconds 0.001 --no-peak")
    shown = shell.display_formatter.format(view)[0]
    assert "<table" in shown["text/html"]
    assert "<svg" in shown["text/html"]
    assert shown["text/plain"].startswith("# Benchmark of ")
    assert view["rows"]
