"""MiniLM: INT8 behind the gate against ONNX Runtime and PyTorch in float32, by batch and length, with the share of the INT8 peak.

Needs ``pip install torch==2.13.0 transformers onnxscript`` beside agentnb's ``[test]``; run ``python tests/benchmarks/minilm.py``.
At 32x64 it should reach 2.5 times ONNX Runtime, 3 times PyTorch, and a cosine of .997.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

import agentnb as anb

WHO = (
    "The invoice",
    "My order",
    "A customer",
    "Our team",
    "The parcel",
    "This recipe",
    "The train to Berlin",
    "An old friend",
    "The museum",
)
WHAT = (
    "arrived late",
    "was cancelled without notice",
    "needs a refund",
    "has been very helpful",
    "stopped working",
    "will be ready on Monday",
)
WHY = (
    "because of the storm",
    "and nobody answered the phone",
    "although the price was fair",
    "after three weeks",
    "before the holidays begin",
)


def texts(count: int) -> list[str]:
    pick = random.Random(0)
    return [
        ". ".join(f"{pick.choice(WHO)} {pick.choice(WHAT)} {pick.choice(WHY)}" for _ in range(pick.randint(1, 4))) for _ in range(count)
    ]


def exported(folder: Path, file: Path) -> Path:
    """The same weights as ONNX, by PyTorch's exporter."""
    import torch
    import transformers

    model = transformers.AutoModel.from_pretrained(str(folder)).eval()
    example = {name: torch.ones(2, 16, dtype=torch.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    shape = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    torch.onnx.export(model, (), str(file), kwargs=example, dynamo=True, dynamic_shapes=dict.fromkeys(example, shape))
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--length", type=int, nargs="+", default=[16, 64, 256])
    parser.add_argument("--repetitions", type=int, default=7)
    arguments = parser.parse_args()
    from agentnb.optimization.benchmark.report import markdown

    source = Path(anb.current().models.pull("minilm-l6-v2", lambda *_: None).path).parent
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        onnx = exported(source, work / "minilm.onnx")
        result = anb.optimize(source, calibration=texts(400), output=work / "int8", to="int8", max_drop=0.003, batch=32, progress=False)
        print(f"{result.recipe}: cosine {1 - result.drop:.4f}\n")
        found = anb.benchmark(
            result.folder,
            source,
            onnx,
            against=["onnxruntime", "torch"],
            batches=arguments.batch,
            lengths=arguments.length,
            repetitions=arguments.repetitions,
            progress=False,
        )
    print(markdown(found))
    rows = {(row["model"], row["engine"], row["batch"], row["length"]): row for row in found["rows"]}
    for batch in arguments.batch:
        for length in arguments.length:
            ours = rows["int8", "openvino", batch, length]
            ort = ours["throughput"] / rows["minilm", "onnxruntime", batch, length]["throughput"]
            torch_ = ours["throughput"] / rows[source.name, "torch", batch, length]["throughput"]
            share = f"{ours['peak_share']:.0%} of the {ours['computed_in']} peak"
            print(f"{batch}x{length}: {ort:.2f} x onnxruntime, {torch_:.2f} x torch, {share}")


if __name__ == "__main__":
    main()
