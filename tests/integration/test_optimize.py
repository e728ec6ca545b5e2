"""``agentnb optimize`` on small real models: what is written, what is refused, and what an interruption leaves."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

import agentnb as anb
from agentnb.cli.app import app
from agentnb.errors import ConfigurationError, GateRefused, OptimizationError
from agentnb.optimization import data as data_module
from agentnb.optimization.export import load, manifest
from agentnb.optimization.metrics import written
from agentnb.optimization.sources import open_source
from agentnb.ports.progress import Step
from agentnb.runtime.runtime import use
from tests.support import networks

TRIED = ("fp32", "int8-weights-sym", "int8-default", "int8-mixed-skip-ends", "int4-sym-128")
THREE = ("int8-weights-sym", "int8-weights-asym", "int8-default")


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.classifier(tmp_path_factory.mktemp("network") / "net.onnx")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.samples(tmp_path_factory.mktemp("data") / "cal.npz", 32)


def optimize(network: Path, data: Any, output: str | Path = "out", **options: Any) -> anb.Optimized:
    return anb.optimize(network, calibration=data, output=output, progress=False, **options)


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if "search" in path.name or "part" in path.name or path.name.startswith("out"))


@pytest.fixture(scope="module")
def auto(network: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> anb.Optimized:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTNB_STORE", str(tmp_path_factory.mktemp("store")))
        before = use(None)
        found = optimize(network, data, tmp_path_factory.mktemp("auto") / "out", max_drop=0.05, only=TRIED)
        use(before)
    return found


def test_auto_writes_the_fastest_that_passes(auto: anb.Optimized) -> None:
    rows = auto.report["recipes"]
    [chosen] = [row for row in rows if row["status"] == "chosen"]
    assert chosen["recipe"]["name"] == auto.recipe
    assert chosen["verdict"]["passed"]
    assert auto.drop <= 0.05
    assert {row["status"] for row in rows} <= {"chosen", "passed", "rejected", "failed"}
    families = {row["recipe"]["family"] for row in rows}
    assert {"none", "int8", "int4"} <= families
    assert all(row["reason"] for row in rows if row["status"] != "chosen")


def test_the_folder_describes_itself(auto: anb.Optimized, network: Path) -> None:
    told = manifest(auto.folder)
    assert told["recipe"]["recipe"]["name"] == auto.recipe
    assert told["source"]["format"] == "onnx"
    assert told["machine"]["versions"]["openvino"]
    assert told["gate"]["samples"] == 16
    assert set(told["sha256"]) == {path.name for path in auto.folder.iterdir()} - {"agentnb.json"}
    assert json.loads((auto.folder / "report.json").read_text())["result"] == auto.recipe
    report = (auto.folder / "report.md").read_text()
    assert "| int8-default+f32 |" in report
    assert "![" in report
    assert leftovers(auto.folder.parent) == ["out"]


def test_what_was_written_answers_as_the_original_does(auto: anb.Optimized, network: Path) -> None:
    import onnxruntime

    pictures = networks.pictures(8, seed=9)
    wanted = onnxruntime.InferenceSession(str(network)).run(None, {"x": pictures})[0]
    found = load(auto.folder).answer({"x": pictures})
    cosine = (wanted * found).sum(-1) / np.linalg.norm(wanted, axis=-1) / np.linalg.norm(found, axis=-1)
    assert cosine.min() > 0.9


def test_a_changed_file_is_noticed(network: Path, data: Path) -> None:
    found = optimize(network, data, to="int8", only=("int8-weights-sym+f32",))
    weights = found.folder / "openvino_model.bin"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0\0")
    with pytest.raises(ConfigurationError, match=r"openvino_model\.bin is missing or was changed"):
        load(found.folder)


def test_what_came_of_it_is_an_event(network: Path, data: Path) -> None:
    optimize(network, data, to="int8", only=("int8-weights-sym+f32",))
    [event] = [event for event in anb.current().events() if event.type == "system.performance"]
    assert event.data["service"] == "optimize"
    assert event.data["metrics"]["result"] == "int8-weights-sym+f32"


def broken(output: Any, target: Any) -> float:
    """The original agrees with itself; nothing else is good enough."""
    return float(np.array_equal(output, target))


def test_nothing_is_written_where_all_fail_the_gate(network: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(GateRefused, match="no recipe passed the gate, so nothing was written: int8-") as refused:
        optimize(network, data, to="int8", metric=broken, only=("int8-default", "int8-mixed"))
    assert not (tmp_path / "out").exists()
    report = Path(refused.value.report).read_text()
    assert "rejected" in report
    assert "the mean drop is 1.0000, more than 0.01" in report


def test_auto_falls_back_to_the_original_where_all_else_fails(network: Path, data: Path) -> None:
    found = optimize(network, data, metric=broken, only=("fp32", "int8-default"))
    assert found.recipe == "fp32"
    assert found.drop == 0


def test_bad_models(data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cases: dict[str, tuple[Callable[[Path], object], str]] = {
        "garbage.onnx": (lambda path: path.write_bytes(b"\x08\x07garbage" * 50), "is no ONNX model, is damaged or cut off"),
        "empty.onnx": (lambda path: path.write_bytes(b""), "is no ONNX model, is damaged or cut off"),
        "half.xml": (lambda path: path.write_text("<net"), "bin is missing"),
        "model.pth": (lambda path: path.write_bytes(b"x"), "opening a pickle runs"),
        "model.docx": (lambda path: path.write_bytes(b"x"), "can't be read as a model"),
        "empty": (lambda path: path.mkdir(), "holds no openvino_model.xml"),
        "bad.tflite": (lambda path: path.write_bytes(b"TFL3" * 20), "can't be read"),
        "bad.gguf": (lambda path: path.write_bytes(b"GGUF\3"), "damaged or cut off"),
    }
    for name, (write, message) in cases.items():
        write(tmp_path / name)
        with pytest.raises(ConfigurationError, match=message):
            optimize(tmp_path / name, data)
    with pytest.raises(ConfigurationError, match="no such file or folder"):
        optimize(tmp_path / "missing.onnx", data)
    whole = onnx.load(str(networks.classifier(tmp_path / "whole.onnx")))
    onnx.save_model(whole, str(tmp_path / "beside.onnx"), save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").write_bytes((tmp_path / "weights.bin").read_bytes()[:9_000])
    with pytest.raises(ConfigurationError, match=r"weights in weights\.bin beside it, which is damaged or cut off"):
        optimize(tmp_path / "beside.onnx", data)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ConfigurationError, match=r"weights in weights\.bin beside it, which is missing: fetch or export both"):
        optimize(tmp_path / "beside.onnx", data)
    (tmp_path / "half.tflite").write_bytes(networks.tflite(tmp_path / "one.tflite").read_bytes()[:250])
    with pytest.raises(ConfigurationError, match=r"half\.tflite can't be read: .* fetch or export it again"):
        optimize(tmp_path / "half.tflite", data)
    assert leftovers(tmp_path) == []
    assert capfd.readouterr().err == ""


def test_a_factory_that_raises_is_named(data: Path, tmp_path: Path) -> None:
    (tmp_path / "mynets.py").write_text("def net():\n    raise RuntimeError('no weights')\n")
    with pytest.raises(ConfigurationError, match="mynets:net raised RuntimeError: no weights"):
        optimize("mynets:net", data)  # type: ignore[arg-type]


def raising() -> Any:
    yield networks.pictures(1)
    raise RuntimeError("the disk with the data is gone")


def test_bad_data(network: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "empty.npz", x=np.zeros((0, 3, 12, 12), np.float32))
    np.savez(tmp_path / "shape.npz", x=np.zeros((4, 3, 9, 12), np.float32))
    np.savez(tmp_path / "uneven.npz", x=np.zeros((4, 3, 12, 12), np.float32), targets=np.zeros(3))
    np.savez(tmp_path / "nan.npz", x=np.full((4, 3, 12, 12), np.nan, np.float32))
    np.savez(tmp_path / "two.npz", x=np.zeros((4, 3, 12, 12), np.float32), y=np.zeros((4, 3)))
    np.savez(tmp_path / "words.npz", x=np.full((4, 3, 12, 12), "a"))
    np.save(tmp_path / "number.npy", np.float32(3))
    (tmp_path / "cut.npz").write_bytes(b"PK\3\4")
    (tmp_path / "bad.jsonl").write_text('{"text": "a"}\n{"txt": "b"}\n')
    (tmp_path / "t.txt").write_text("a text\nanother\n")
    (tmp_path / "images").mkdir()
    cases = {
        "empty.npz": "is empty",
        "shape.npz": r"sample 0: x has the shape \[1, 3, 9, 12\], but the model takes",
        "uneven.npz": "same first axis",
        "nan.npz": "sample 0: x holds NaN",
        "two.npz": "sample 0 has the inputs x, y",
        "words.npz": "x is of the type <U1: give numbers",
        "number.npy": r"same first axis, which counts the samples; it has input \[\]",
        "cut.npz": "can't be read",
        "bad.jsonl": "bad.jsonl, line 2",
        "t.txt": "has no tokenizer",
        "images": "holds no images",
        "missing.npz": "no such file",
        "data.csv": "data is an .npz",
    }
    for name, message in cases.items():
        with pytest.raises(ConfigurationError, match=message):
            optimize(network, tmp_path / name)
    for data, message in (
        (raising, "raised RuntimeError after 1 samples: the disk"),
        ([], "is empty"),
        ([networks.pictures(1)], "too few"),
        ([networks.pictures(1)] * 3, "3 samples are too few to judge by"),
        (["a"], "tokenizer"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            optimize(network, data)
    assert leftovers(tmp_path) == []


def test_bad_options(network: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("x")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"device": "XPU"}, "OpenVINO sees no device 'XPU' here; it sees: CPU"),
        ({"device": "CPU.9"}, "OpenVINO sees no device 'CPU.9' here"),
        ({"device": "AUTO:XPU"}, "it sees: CPU, and AUTO chooses"),
        ({"output": "."}, "name a folder of its own"),
        ({"output": "full/mine.txt", "force": True}, "wasn't written by"),
        ({"to": "int2"}, "auto, bf16, int8, int4"),
        ({"max_drop": -1}, "0 or more"),
        ({"max_drop": float("nan")}, "0 or more"),
        ({"batch": 0}, "1 or more"),
        ({"only": ("nonsense",)}, "no recipe nonsense"),
        ({"metric": "nonsense"}, "there are: cosine"),
        ({"pixels": "blue"}, "imagenet, unit, signed, raw"),
        ({"output": "full"}, "is there already, and wasn't written by"),
        ({"output": "full", "force": True}, "wasn't written by"),
    ]
    for options, message in cases:
        with pytest.raises(ConfigurationError, match=message):
            optimize(network, data, **options)
    assert leftovers(tmp_path) == []
    assert (tmp_path / "full/mine.txt").read_text() == "x"


def test_a_fixed_batch_and_large_numbers_are_named(network: Path, data: Path, tmp_path: Path) -> None:
    model = onnx.load(str(network))
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, "fixed.onnx")
    with pytest.raises(ConfigurationError, match=r"--batch 8: the model takes \[1,3,12,12\] only: leave --batch out"):
        optimize(Path("fixed.onnx"), data, batch=8)
    with pytest.raises(ConfigurationError, match=r"--batch 8: x is \[1,3,12,12\]: leave --batch out"):
        anb.benchmark("fixed.onnx", batches=(8,), peak=False, progress=False)
    np.savez("large.npz", x=np.full((8, 3, 12, 12), 1e300))
    with pytest.raises(ConfigurationError, match="too large for float32"):
        optimize(network, Path("large.npz"))
    with pytest.raises(ConfigurationError, match="can't be a folder's name"):
        optimize(network, data, "x" * 300)


def test_of_several_outputs_the_worst_counts(network: Path, data: Path) -> None:
    model = onnx.load(str(network))
    model.graph.output.append(onnx.helper.make_tensor_value_info("f", onnx.TensorProto.FLOAT, ["n", 32]))
    onnx.save(model, "two.onnx")
    for metric in ("cosine", "closeness", "agreement"):
        found = optimize(Path("two.onnx"), data, to="int8", metric=metric, only=("int8-weights-sym+f32",), max_drop=1, force=True)
        assert 0.5 < found.report["recipes"][0]["verdict"]["candidate"] <= 1
    with pytest.raises(ConfigurationError, match="the model has the outputs y, f: give a function"):
        optimize(Path("two.onnx"), [(picture[None], 1) for picture in networks.pictures(8)], metric="accuracy", force=True)


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    encoder = networks.encoder(tmp_path / "encoder")
    for name, line in (("t.jsonl", '{"text": "word1 word2"}\n'), ("t.txt", "word1 word2\n")):
        (tmp_path / name).write_text(f"\ufeff{line * 8}", encoding="utf-8")
        found = data_module.fit(data_module.read(tmp_path / name), open_source(encoder))
        assert np.array_equal(found[0].inputs["input_ids"], found[1].inputs["input_ids"])


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (lambda output, target: 1 / 0, "raised on sample 0: ZeroDivisionError"),
        (lambda output, target: float("nan"), "gave nan on sample 0"),
        (lambda output, target: "good", "raised on sample 0: ValueError"),
    ],
)
def test_a_metric_that_fails_is_named(network: Path, data: Path, tmp_path: Path, metric: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        optimize(network, data, metric=metric)
    assert not (tmp_path / "out").exists()


def test_an_earlier_result_is_replaced_only_by_force(network: Path, data: Path, tmp_path: Path) -> None:
    first = optimize(network, data, to="int8", only=("int8-weights-sym+f32",))
    with pytest.raises(ConfigurationError, match="is there already"):
        optimize(network, data, to="int8", only=("int8-weights-asym+f32",))
    assert manifest(first.folder)["recipe"]["recipe"]["name"] == "int8-weights-sym+f32"
    optimize(network, data, to="int8", only=("int8-weights-asym+f32",), force=True)
    assert manifest(first.folder)["recipe"]["recipe"]["name"] == "int8-weights-asym+f32"
    assert leftovers(tmp_path) == ["out"]


def test_an_interrupted_search_goes_on(network: Path, data: Path, tmp_path: Path) -> None:
    only = THREE
    begun: list[str] = []

    def interrupting(step: Step) -> None:
        begun.append(step.what)
        if step.what.startswith("int8-weights-asym") and "judging" in step.what:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as interrupted:
        anb.optimize(network, calibration=data, output="out", to="int8", only=only, progress=interrupting)
    assert not (tmp_path / "out").exists()
    [note] = interrupted.value.__notes__
    assert note.startswith("2 recipes tried so far: kept in ")
    assert str(tmp_path / ".out.search") in note
    again: list[str] = []
    anb.optimize(network, calibration=data, output="out", to="int8", only=only, progress=lambda step: again.append(step.what))
    assert sum(what.endswith("known from before") for what in again) == 2
    assert "int8-weights-sym+f32: judging" in begun
    assert "int8-weights-sym+f32: judging" not in again
    assert "int8-weights-asym+f32: judging" in again
    assert leftovers(tmp_path) == ["out"]


def test_a_search_with_other_options_leaves_an_interrupted_one_alone(network: Path, data: Path, tmp_path: Path) -> None:
    def interrupting(step: Step) -> None:
        if step.what.startswith("int8-weights-asym"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        anb.optimize(network, calibration=data, output="out", to="int8", only=THREE, progress=interrupting)
    [kept] = (tmp_path / ".out.search").iterdir()
    with pytest.raises(GateRefused):
        optimize(network, data, to="int8", metric=broken, only=("int8-default",))
    told: list[str] = []
    anb.optimize(network, calibration=data, output="out", to="int8", only=THREE, batch=2, progress=lambda step: told.append(step.what))
    assert f"{kept} keeps a search with other data or options, which go on there: delete it to drop it" in told
    assert not any("known from before" in what for what in told)
    assert list((tmp_path / ".out.search").iterdir()) == [kept], "what was refused is gone, what was interrupted isn't"
    again: list[str] = []
    anb.optimize(network, calibration=data, output="out", to="int8", only=THREE, force=True, progress=lambda step: again.append(step.what))
    assert sum("known from before" in what for what in again) == 2
    assert leftovers(tmp_path) == ["out"]


def test_what_was_found_for_other_data_counts_for_nothing(network: Path, data: Path, tmp_path: Path) -> None:
    def interrupting(step: Step) -> None:
        if step.what.startswith("int8-weights-asym"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        anb.optimize(network, calibration=data, output="out", to="int8", progress=interrupting)
    other, again = networks.samples(tmp_path / "other.npz", 20), list[str]()
    anb.optimize(
        network, calibration=other, output="out", to="int8", only=("int8-weights-sym",), progress=lambda step: again.append(step.what)
    )
    assert "int8-weights-sym+f32: judging" in again


@pytest.mark.parametrize("change", [("1e9", "1e-9"), ("< LIMIT", "> LIMIT"), ("float(drift", "1 - float(drift")])
def test_what_was_found_by_another_metric_counts_for_nothing(
    network: Path, data: Path, tmp_path: Path, change: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where only a constant of its module or a helper was changed."""
    source = """
import numpy as np
LIMIT = 1e9
def near_enough(drift): return float(drift < LIMIT)
def near(output, target): return near_enough(np.abs(output - target).max())
"""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def interrupting(step: Step) -> None:
        if step.what.startswith("int8-weights-asym"):
            raise KeyboardInterrupt

    def known(text: str) -> int:
        (tmp_path / "mine.py").write_text(text)
        monkeypatch.delitem(sys.modules, "mine", raising=False)
        importlib.invalidate_caches()
        told: list[str] = []

        def note(step: Step) -> None:
            told.append(step.what)
            interrupting(step)

        with pytest.raises(KeyboardInterrupt):
            anb.optimize(network, calibration=data, output="out", to="int8", metric="mine:near", progress=note)
        return sum("known from before" in what for what in told)

    assert known(source) == 0
    assert known(source) > 0
    assert known(source.replace(*change)) == 0


def test_other_values_of_a_function_make_another_metric() -> None:
    def within(limit: float) -> Callable[[Any, Any], float]:
        return lambda output, target: float(abs(output - target) < limit)

    assert written(within(0.1)) == written(within(0.1))
    assert written(within(0.1)) != written(within(0.2))
    assert written(partial(max, 1)) != written(partial(max, 2))


_CHILD = """
import sys
import agentnb as anb
anb.optimize(sys.argv[1], calibration=sys.argv[2], output="out", to="int8", only=tuple(sys.argv[3:]), progress=False)
"""


def test_a_killed_search_goes_on(network: Path, data: Path, tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", _CHILD, str(network), str(data), *THREE], cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not ((found := [*tmp_path.glob(".out.search/*/state.json")]) and found[0].read_text().count('"status"') >= 2):
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    [state] = found
    known = {one["recipe"]["name"] for one in json.loads(state.read_text())["outcomes"]}
    assert not (tmp_path / "out").exists()
    again: list[str] = []
    found = anb.optimize(network, calibration=data, output="out", to="int8", only=THREE, progress=lambda step: again.append(step.what))
    assert not any(what == f"{name}: judging" for name in known for what in again)
    assert manifest(found.folder)
    assert leftovers(tmp_path) == ["out"]


def test_the_command_says_how_an_interrupted_search_goes_on(network: Path, data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "agentnb", "optimize", str(network), "--calibration", str(data), "-o", "out", "--to", "int8"]
    command += [part for name in THREE for part in ("--recipe", name)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr
        first = child.stderr.readline()
        child.send_signal(signal.SIGINT)
        said = child.stderr.read()
    assert first.startswith("recipe 1 of "), first + said
    assert child.returncode == 130, said
    assert "kept in " in said
    [kept] = (tmp_path / ".out.search").iterdir()
    assert f"{kept}. Run the same again" in said
    assert leftovers(tmp_path) == [".out.search"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "known from before" in done.stderr
    assert leftovers(tmp_path) == ["out"]


def test_two_searches_for_one_result_exclude_each_other(network: Path, data: Path, tmp_path: Path) -> None:
    refused: list[str] = []

    def second(step: Step) -> None:
        if step.what == "original: judging" and not refused:
            with pytest.raises(ConfigurationError, match="another process is searching for the same result"):
                optimize(network, data, to="int8")
            refused.append(step.what)

    anb.optimize(network, calibration=data, output="out", to="int8", only=("int8-weights-sym+f32",), progress=second)
    assert refused


_FULL = """
import resource, sys
import agentnb as anb
from agentnb.errors import AgentNBError
anb.current().store.write()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    anb.optimize(sys.argv[1], calibration=sys.argv[2], output="out", to="int8", only=("int8-weights-sym+f32",), progress=False)
except AgentNBError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of files' sizes are POSIX")
@pytest.mark.parametrize("limit", [3_000, 15_000])
def test_a_full_disk_leaves_nothing(network: Path, data: Path, tmp_path: Path, limit: int) -> None:
    """A limit of the size of files stands for the full disk: writes fail in the same places."""
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(network), str(data), str(limit)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "OptimizationError" in done.stdout, done.stderr
    assert "ree some space" in done.stdout
    assert not (tmp_path / "out").exists()
    assert leftovers(tmp_path) == []


def test_a_model_that_openvino_cant_write_is_no_full_disk(
    network: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing on this disk is wrong: the recipe failed, and the search goes on with the next."""
    import openvino

    whole = openvino.save_model

    def failing(model: Any, file: Path, **options: Any) -> None:
        if "asym" in str(file):
            raise RuntimeError("this disk could not be written: no space left")
        whole(model, file, **options)

    monkeypatch.setattr(openvino, "save_model", failing)
    found = optimize(network, data, to="int8", only=("int8-weights-asym+f32", "int8-weights-sym+f32"), max_drop=1)
    assert found.recipe == "int8-weights-sym+f32"
    [failed] = [row for row in found.report["recipes"] if row["status"] == "failed"]
    assert failed["reason"].startswith("OpenVINO can't write this model")


def test_a_folder_that_cant_be_written(network: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError, match="can't be written"):
        optimize(network, data, "file/out")


def test_what_fails_makes_no_folders(network: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file or folder"):
        optimize(tmp_path / "missing.onnx", data, "new/er/out")
    with pytest.raises(ConfigurationError, match="raised on sample 0"):
        optimize(network, data, "new/er/out", metric=lambda output, target: 1 / 0)
    assert not (tmp_path / "new").exists()


def test_progress_names_the_recipe_and_the_best(network: Path, data: Path) -> None:
    steps: list[Step] = []
    found = anb.optimize(network, calibration=data, output="out", only=("fp32", "int8-default+f32"), max_drop=0.05, progress=steps.append)
    first, last, end = [step for step in steps if step.ended]
    assert str(end).startswith(f"finalists, measured again beside each other: {found.recipe} {found.speedup:.2f}×, drop ")
    assert str(end).endswith(": the result")
    assert (first.place, last.place) == ("recipe 1 of 2", "recipe 2 of 2")
    assert str(first) == "recipe 1 of 2 · fp32 1.00×, drop 0.0000: passed · best so far: fp32 1.00×, drop 0.0000"
    assert last.what.startswith("int8-default+f32 ")
    [judging] = [step for step in steps if step.what == "int8-default+f32: judging" and step.done == 16]
    assert str(judging) == "recipe 2 of 2 · int8-default+f32: judging 16 of 16 · best so far: fp32 1.00×, drop 0.0000"


def test_a_broken_original_is_said_to_be_broken(tmp_path: Path, data: Path) -> None:
    from onnx import numpy_helper

    model = onnx.load(str(networks.classifier(tmp_path / "nan.onnx")))
    weight = next(one for one in model.graph.initializer if one.name == "w3")
    weight.CopyFrom(numpy_helper.from_array(np.full((32, 4), np.nan, np.float32), "w3"))
    onnx.save(model, str(tmp_path / "nan.onnx"))
    with pytest.raises(OptimizationError, match="broken before anything was done to it"):
        optimize(tmp_path / "nan.onnx", data)


def test_targets_and_pictures(network: Path, tmp_path: Path) -> None:
    """A folder of images whose folders' names are the classes; the metric is the accuracy then."""
    from PIL import Image

    random = np.random.default_rng(0)
    for number in range(12):
        folder = tmp_path / "images" / str(number % 3)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (20, 30, 3)).astype(np.uint8)).save(folder / f"{number}.png")
    found = optimize(network, tmp_path / "images", to="int8", only=("int8-weights-sym+f32",), max_drop=1, pixels="unit")
    assert found.report["gate"]["metric"] == "accuracy"


def test_the_time_can_be_limited(network: Path, data: Path) -> None:
    with pytest.raises(GateRefused, match="raise --budget"):
        optimize(network, data, budget=1e-9)


def test_the_command(network: Path, data: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    given = ["optimize", str(network), "--calibration", str(data), "-o", "out", "--to", "int8", "--recipe", "int8-weights-sym+f32"]
    done = runner.invoke(app, [*given, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["result"] == "int8-weights-sym+f32"
    assert runner.invoke(app, given).exit_code == 2
    text = runner.invoke(app, [*given, "--force"])
    assert text.exit_code == 0
    assert "chosen" in text.stdout
    (tmp_path / "mymetric.py").write_text("def score(output, target):\n    return float((output == target).all())\n")
    refused = runner.invoke(app, [*given[:4], "-o", "other", "--to", "int8", "--metric", "mymetric:score", "--recipe", "int8-default"])
    assert refused.exit_code == 1
    assert not (tmp_path / "other").exists()
