"""What this machine can do at best: a matrix product in each precision, and reading memory. The roof of the roofline."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from agentnb.optimization.packages import core, openvino

_SIZE = 2048
_ROUNDS = 7
_READ = 512 * 1024 * 1024


def measure(device: str, tick: Callable[[int, int], None]) -> dict[str, float]:
    """``f32``, ``bf16`` and ``int8`` in GFLOP/s, ``memory`` in GB/s, as all cores read what no cache holds; the best of some rounds.

    A precision that the device hasn't is measured as what it is computed in instead.
    """
    found: dict[str, float] = {}
    models = {"f32": (_product(), "f32"), "bf16": (_product(), "bf16"), "int8": (_quantised_product(), "f32")}
    for place, (name, (model, hint)) in enumerate(models.items()):
        tick(place, len(models) + 1)
        found[name] = _gigaflops(model, device, hint)
    tick(len(models), len(models) + 1)
    found["memory"] = _bandwidth()
    return {name: round(value, 1) for name, value in found.items()}


def _product() -> Any:
    """``[2048, 2048] @ [2048, 2048]``, the second one constant."""
    import numpy as np

    openvino()
    from openvino import Model, opset15

    left = opset15.parameter([_SIZE, _SIZE], np.float32, "x")
    right = opset15.constant(np.random.default_rng(0).normal(0, 1, (_SIZE, _SIZE)).astype(np.float32))
    return Model([opset15.result(opset15.matmul(left, right, False, True))], [left], "product")


def _quantised_product() -> Any:
    """The same with both sides quantised to 8 bits, as nncf leaves them."""
    import numpy as np

    openvino()
    from openvino import Model, opset15

    def bounds(low: float, high: float) -> tuple[Any, ...]:
        return tuple(opset15.constant(np.array(edge, np.float32)) for edge in (low, high, low, high))

    left = opset15.parameter([_SIZE, _SIZE], np.float32, "x")
    weights = np.random.default_rng(0).integers(-127, 128, (_SIZE, _SIZE)).astype(np.int8)
    right = opset15.multiply(opset15.convert(opset15.constant(weights), "f32"), opset15.constant(np.array(0.01, np.float32)))
    quantised = opset15.fake_quantize(left, *bounds(-4.0, 4.0 * 127 / 128), 256)
    return Model([opset15.result(opset15.matmul(quantised, right, False, True))], [left], "quantised product")


def _gigaflops(model: Any, device: str, hint: str) -> float:
    import numpy as np

    request = core().compile_model(model, device, {"INFERENCE_PRECISION_HINT": hint}).create_infer_request()
    value = {0: np.random.default_rng(1).normal(0, 1, (_SIZE, _SIZE)).astype(np.float32)}
    return 2.0 * _SIZE**3 / _best(lambda: request.infer(value, share_inputs=True, share_outputs=True)) / 1e9


def _bandwidth() -> float:
    import os

    import numpy as np

    workers = os.cpu_count() or 1
    parts = [np.ones(_READ // workers // 8, np.uint64) for _ in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        seconds = _best(lambda: list(pool.map(np.bitwise_or.reduce, parts)))
    return sum(part.nbytes for part in parts) / seconds / 1e9


def _best(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
