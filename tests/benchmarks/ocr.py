"""PP-OCRv6's recogniser: what ``auto`` finds in a limited time, against ONNX Runtime, judged on lines read without a mistake.

Needs agentnb's ``[test]``; run ``python tests/benchmarks/ocr.py``. It should reach 2.2 times its speed
at .01 fewer exact lines, in 90 s.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import agentnb as anb
from tests.support import ocr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=600)
    parser.add_argument("--budget", type=float, default=65)
    parser.add_argument("--repetitions", type=int, default=15)
    arguments = parser.parse_args()
    from agentnb.optimization.benchmark.report import markdown

    model = Path(anb.current().models.pull("ppocrv6-rec-small", lambda *_: None).path)
    alphabet = ocr.characters(model)

    def exact(output: object, written: object) -> bool:
        return ocr.read(output, alphabet) == written

    with tempfile.TemporaryDirectory() as name:
        output = Path(name) / "ocr"
        start = time.monotonic()
        result = anb.optimize(
            model,
            calibration=ocr.lines(64, seed=2),
            evaluation=ocr.lines(arguments.lines),
            metric=exact,
            output=output,
            budget=arguments.budget,
            progress=False,
        )
        seconds = time.monotonic() - start
        print((output / "report.md").read_text())
        found = anb.benchmark(
            output, against=["onnxruntime"], shapes={"x": (1, 3, 48, 320)}, repetitions=arguments.repetitions, progress=False
        )
    print(markdown(found))
    low, high = result.interval
    [ratio] = [row["ratios"]["onnxruntime"] for row in found["rows"] if row["engine"] == "openvino"]
    lost = f"exact lines lost {result.drop:+.4f} ({low:+.4f} to {high:+.4f})"
    print(f"{result.recipe} found in {seconds:.0f} s: {ratio:.2f} x onnxruntime, {lost}")


if __name__ == "__main__":
    main()
