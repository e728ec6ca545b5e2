"""Models and peers that need PyTorch or llama.cpp: ``pip install torch==2.13.0 llama-cpp-python==0.3.16``, then ``pytest -m peer``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import agentnb as anb

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]  # theirs


def test_a_pytorch_module_is_optimized(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 8)).eval()
    samples = [np.random.default_rng(number).normal(size=(1, 64)).astype(np.float32) for number in range(48)]
    found = anb.optimize(module, calibration=samples, output=tmp_path / "out", to="int8", max_drop=0.05, progress=False)
    assert found.report["source"]["format"] == "torch"


@pytest.mark.model
def test_llama_cpp_reads_the_same_file() -> None:
    pytest.importorskip("llama_cpp")
    rows = anb.benchmark(
        "openvino:smollm2-135m", against=["llama.cpp"], lengths=(64,), tokens=8, repetitions=2, peak=False, progress=False
    )["rows"]
    assert {row["engine"] for row in rows} == {"openvino", "llama.cpp"}
    assert min(row["prefill_tokens_s"] for row in rows) > 0
