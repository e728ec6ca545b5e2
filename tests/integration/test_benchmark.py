"""``agentnb benchmark`` on small real models: figures that hang together, and the comparison of two runs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import agentnb as anb
from agentnb.cli.app import app
from agentnb.errors import ConfigurationError, UnknownName
from agentnb.optimization.benchmark import flops, language, peak, report
from agentnb.optimization.benchmark.cases import Setting
from agentnb.optimization.packages import nncf
from agentnb.optimization.sources import Source, open_source
from agentnb.runtime import comparison, performance
from agentnb.runtime.runtime import use
from tests.support import networks

QUICK: dict[str, Any] = {"repetitions": 2, "seconds": 0.001, "peak": False, "progress": False}
FLAGS = ["--repetitions", "2", "--seconds", "0.001", "--no-peak"]


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.classifier(tmp_path_factory.mktemp("network") / "net.onnx")


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    return networks.encoder(tmp_path / "enc")


def test_every_combination_is_measured_beside_the_peer(network: Path) -> None:
    found = anb.benchmark(network, against=["onnxruntime"], batches=(1, 4), hints=("LATENCY", "THROUGHPUT"), threads=(1,), **QUICK)
    rows = found["rows"]
    assert [(row["engine"], row["batch"], row["hint"]) for row in rows] == [
        (engine, batch, hint)
        for batch in (1, 4)
        for engine, hint in (("openvino", "LATENCY"), ("openvino", "THROUGHPUT"), ("onnxruntime", ""))
    ]
    for row in rows:
        assert 0 < row["low_ms"] <= row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"]
        assert row["throughput"] > 0
        assert row["load_s"] > 0
        assert set(row["ratios"]) == ({"onnxruntime"} if row["engine"] == "openvino" else set())
    peer = {row["batch"]: row["throughput"] for row in rows if row["engine"] == "onnxruntime"}
    assert rows[0]["ratios"]["onnxruntime"] == pytest.approx(rows[0]["throughput"] / peer[1], rel=0.01)


def test_operations_are_counted(network: Path) -> None:
    """Two for each multiplication of both convolutions and the matrix, by hand; the rate is that by the median time."""
    [row] = anb.benchmark(network, batches=(2,), **QUICK)["rows"]
    places = 2 * networks.SIDE**2
    operations = 2 * places * (16 * 3 * 9 + 32 * 16 * 9) + 2 * 2 * 32 * 4
    assert row["gflops"] == pytest.approx(operations * row["throughput"] / 2 / 1e9, rel=0.02)
    assert row["weights_mb"] == pytest.approx((16 * 3 * 9 + 16 + 32 * 16 * 9 + 32 + 128) * 4 / 1e6, rel=0.05)


def test_an_optimized_folder_is_compared_with_the_peer_of_its_original(network: Path, tmp_path: Path) -> None:
    data = networks.samples(tmp_path / "cal.npz", 8)
    anb.optimize(network, calibration=data, output="out", to="int8", only=("int8-default+f32",), max_drop=1, progress=False)
    rows = anb.benchmark("out", network, against=["onnxruntime"], **QUICK)["rows"]
    assert [(row["model"], row["engine"]) for row in rows] == [("out", "openvino"), ("net", "openvino"), ("net", "onnxruntime")]
    assert rows[0]["computed_in"] == "int8"
    assert rows[0]["ratios"]["onnxruntime"] > 0


def test_the_named_file_of_a_folder_is_measured(network: Path, tmp_path: Path) -> None:
    import openvino

    model = openvino.Core().read_model(networks.tflite(tmp_path / "one.tflite"))
    openvino.save_model(model, tmp_path / "openvino_model.xml")
    openvino.save_model(openvino.Core().read_model(network), tmp_path / "net.xml")
    [row] = anb.benchmark(tmp_path / "net.xml", **QUICK)["rows"]
    assert row["model"] == "net"


def test_texts_have_lengths(encoder: Path) -> None:
    rows = anb.benchmark(encoder, lengths=(8, 16), batches=(2,), precisions=("f32",), **QUICK)["rows"]
    assert [(row["batch"], row["length"], row["computed_in"]) for row in rows] == [(2, 8, "f32"), (2, 16, "f32")]


def test_a_fetched_model_goes_by_its_name() -> None:
    found = anb.benchmark("openvino:minilm", **QUICK)
    assert list(found["task"]["models"]) == ["minilm"] == [row["model"] for row in found["rows"]]


def test_bad_options(network: Path, encoder: Path) -> None:
    cases: list[tuple[Path, dict[str, Any], str]] = [
        (network, {"against": ["tensorrt"]}, "there are: onnxruntime, torch, llama.cpp"),
        (encoder, {"against": ["onnxruntime"]}, "none of the models came from a format"),
        (network, {"device": "NPU9"}, "OpenVINO sees no device"),
        (network, {"batches": (0,)}, "1 or more"),
        (network, {"hints": ("FAST",)}, "LATENCY or THROUGHPUT"),
        (network, {"precisions": ("f8",)}, "default, f32 or bf16"),
        (network, {"seconds": float("nan")}, "above 0"),
        (network, {"shapes": {"x": (1, 3, 9, 9)}}, "can't be"),
        (network, {"shapes": {"y": (1, 3, 12, 12)}}, "--shape y: there is no such input; there are: x"),
        (network, {"threads": (-1,)}, "--threads: it has to be 0 or more"),
        (network, {"streams": (-1,)}, "--streams: it has to be 0 or more"),
        (network.with_name("none.onnx"), {}, "no such file"),
    ]
    for model, options, message in cases:
        with pytest.raises(ConfigurationError, match=message):
            anb.benchmark(model, **{**QUICK, **options})


@pytest.mark.parametrize(
    ("end", "named"),
    [
        ("ctypes.string_at(0)", r"SIG[A-Z]+"),
        ("sys.exit(3)", "exit status 3"),
        ("sys.exit(0)", "exit status 0"),
        ("raise ValueError('no such file')", "ValueError: no such file"),
    ],
)
def test_a_peer_that_ends_early_is_named_and_takes_nothing_with_it(
    end: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a process of its own finds the peer; here there is no more of it than its version."""
    (tmp_path / "llama_cpp.py").write_text(f"import ctypes, sys\nclass Llama:\n    def __init__(self, file, **options): {end}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "llama_cpp", SimpleNamespace(__version__="0.9"))
    source = Source("m", "gguf", "llm", None, None, tmp_path / "m.gguf", None, (), "")
    with pytest.raises(ConfigurationError, match=rf"llama-cpp-python 0\.9 fails on m\.gguf \({named}\)"):
        language.llama_cpp_language(source, Setting("", 0, 0, "default"), 64)


def test_the_peak_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "_SIZE", 128)
    monkeypatch.setattr(peak, "_READ", 1 << 20)
    found = peak.measure("CPU", lambda done, total: None)
    assert set(found) == {"f32", "bf16", "int8", "memory"}
    assert min(found.values()) > 0


def test_weights_are_counted_as_they_are_read(encoder: Path) -> None:
    """Tables are looked up in, and weights in floating point are held in the precision that is computed in."""
    model = open_source(encoder).model
    matrices = 2 * (4 * 32 * 32 + 2 * 32 * 128)
    assert flops.weights_read(model, "f32") == 4 * matrices
    assert flops.weights_read(model, "bf16") == 2 * matrices
    compressed = nncf().compress_weights(model.clone())
    assert matrices < flops.weights_read(compressed, "bf16") < 1.3 * matrices


def test_what_is_faster_than_memory_comes_from_the_cache(network: Path) -> None:
    found = anb.benchmark(network, **QUICK)
    row = {**found["rows"][0], "memory_share": 1.7, "peak_share": 0.5}
    shown = report.markdown({**found, "rows": [row]})
    assert re.search(r"\| 50% +\| cache +\|", shown)
    assert set(row) - {
        "model",
        "original",
        "kind",
        "engine",
        "batch",
        "length",
        "hint",
        "streams",
        "threads",
        "precision",
        "repetitions",
    } == {name for names in found["fields"] for name in names.split(", ")}


def slower(found: dict[str, Any], factor: float) -> dict[str, Any]:
    rows = [{**row, **{key: row[key] * factor for key in ("p50_ms", "low_ms", "high_ms")}} for row in found["rows"]]
    return {**found, "rows": rows}


def row(low: float, middle: float, high: float) -> dict[str, Any]:
    identity = {
        "model": "m",
        "engine": "openvino",
        "batch": 1,
        "length": 0,
        "hint": "LATENCY",
        "streams": 0,
        "threads": 0,
        "precision": "f32",
    }
    return {"rows": [{**identity, "p50_ms": middle, "low_ms": low, "high_ms": high}]}


def test_only_what_is_beyond_the_noise_is_a_regression() -> None:
    def verdict(before: dict[str, Any], after: dict[str, Any]) -> str:
        return comparison.compare(before, after)[0].verdict

    assert verdict(row(9, 10, 11), row(9, 10, 11)) == "same"
    assert verdict(row(9, 10, 11), row(14, 15, 16)) == "slower"
    assert verdict(row(14, 15, 16), row(9, 10, 11)) == "faster"
    assert verdict(row(8, 10, 15), row(12, 13, 18)) == "same"
    assert verdict(row(9.9, 10, 10.1), row(10.2, 10.3, 10.4)) == "same"


def test_what_has_nothing_in_common_is_refused() -> None:
    other = row(1, 2, 3)
    other["rows"][0]["batch"] = 8
    with pytest.raises(ConfigurationError, match="nothing|no model, engine and size in common"):
        comparison.compare(row(1, 2, 3), other)
    with pytest.raises(ConfigurationError, match="no benchmark of this version"):
        comparison.compare({"rows": [{}]}, other)


@pytest.mark.parametrize("figure", [0, float("nan"), float("inf"), None, "fast", -1])
@pytest.mark.parametrize("name", ["p50_ms", "low_ms", "high_ms"])
def test_figures_that_are_none_are_refused(name: str, figure: Any) -> None:
    broken = row(1, 2, 3)
    broken["rows"][0][name] = figure
    for pair in ((broken, row(1, 2, 3)), (row(1, 2, 3), broken)):
        with pytest.raises(ConfigurationError):
            comparison.compare(*pair)


def test_a_tolerance_is_a_number() -> None:
    for tolerance in (float("nan"), -0.1, float("inf")):
        with pytest.raises(ConfigurationError, match="tolerance"):
            comparison.compare(row(1, 2, 3), row(4, 5, 6), tolerance)


def test_results_are_kept_and_found(network: Path, tmp_path: Path) -> None:
    found = anb.benchmark(network, **QUICK)
    runtime = anb.current()
    assert performance.recorded(runtime, found["id"])["rows"] == found["rows"]
    with pytest.raises(UnknownName, match="agentnb benchmark list"):
        performance.recorded(runtime, "perf_nothing")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ConfigurationError, match="can't be read"):
        performance.recorded(runtime, "bad.json")


def test_the_commands(network: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(app, ["benchmark", str(network), "--batch", "1,2", *FLAGS, "-o", "bench"])
    assert done.exit_code == 0, done.output
    assert re.search(r"^\| net +\| 2 +\|", done.stdout, re.MULTILINE)
    assert "- of memory: how fast weights are read" in done.stdout
    assert done.stderr.splitlines() == ["size 1 of 2 · batch 1", "size 2 of 2 · batch 2"]
    assert {path.name for path in (tmp_path / "bench").iterdir()} >= {
        "report.json",
        "report.md",
        "throughput-1.svg",
        "throughput-by-batch.svg",
    }
    [listed] = json.loads(runner.invoke(app, ["benchmark", "list", "--json"]).stdout)["benchmarks"]
    assert json.loads(listed["models"]) == ["net"]
    assert re.search(r"^\| net +\| 2 +\|", runner.invoke(app, ["benchmark", "show", listed["id"]]).stdout, re.MULTILINE)
    before = json.loads((tmp_path / "bench/report.json").read_text())
    (tmp_path / "later.json").write_text(json.dumps(slower(before, 1000)))
    assert runner.invoke(app, ["benchmark", "compare", listed["id"], "bench/report.json"]).exit_code == 0
    worse = runner.invoke(app, ["benchmark", "compare", "bench/report.json", "later.json", "--json"])
    assert worse.exit_code == 1
    assert json.loads(worse.stdout)["slower"] == 2
    assert runner.invoke(app, ["benchmark", "compare", "later.json", "bench"]).exit_code == 0
    before["machine"]["processor"] = "Another"
    del before["rows"][0]
    (tmp_path / "other.json").write_text(json.dumps(before))
    other = runner.invoke(app, ["benchmark", "compare", "bench", "other.json", "--json"])
    assert other.exit_code == 0
    machines, missing = json.loads(other.stdout)["notes"]
    assert machines.startswith("they ran on different machines: ")
    assert machines.endswith(f"then Another × {before['machine']['cores']} × CPU")
    assert missing == "only the first has net (openvino) 1 LATENCY default"
    assert runner.invoke(app, ["benchmark", str(network), "--batch", "many"]).exit_code == 2


def test_a_damaged_store_is_no_regression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/journal.db").write_bytes(b"no database" * 1000)
    monkeypatch.setenv("AGENTNB_STORE", str(tmp_path / "damaged"))
    before = use(None)
    done = CliRunner().invoke(app, ["benchmark", "compare", "perf_a", "perf_b"])
    use(before)
    assert done.exit_code == 2, done.output
    assert "damaged" in done.stderr


def test_the_machine_is_told() -> None:
    found = json.loads(CliRunner().invoke(app, ["doctor", "--hardware", "--json"]).stdout)["findings"]
    told = {finding["name"]: finding["value"] for finding in found}
    assert told["AVX-512"] in ("yes", "no", "unknown")
    assert told["CPU, asked for f32"].startswith("computes in f32")
    assert "computes in" in told["CPU, activations and weights int8"]
    assert any(name.startswith("OpenVINO device NPU") for name in told)
