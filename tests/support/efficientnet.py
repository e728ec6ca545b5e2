"""EfficientNet-lite0 with its published weights as an OpenVINO model, without torch: a real network that 8 bits break.

The layers are those of Tan and Le, EfficientNet (arXiv:1905.11946), in the lite variant: ReLU6, no squeeze and excitation.
"""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

BLOCKS = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320))
"""Repeats, kernel, stride, expansion, channels."""
EPSILON = 1e-3
SIDE = 224


class _Storages(pickle.Unpickler):
    """Reads torch's first file format: tensors are named storages, whose numbers follow the pickle. Nothing else may be in it."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.types: dict[str, str] = {}

    def persistent_load(self, pid: Any) -> str:
        self.types[pid[2]] = pid[1]
        return str(pid[2])

    def find_class(self, module: str, name: str) -> Any:
        if name == "_rebuild_tensor_v2":
            return lambda storage, offset, size, stride, *_: (storage, offset, size, stride)
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        return {"FloatStorage": "<f4", "LongStorage": "<i8"}[name]


def weights(file: Path) -> dict[str, np.ndarray]:
    """Arrays by their names of a .pth file of that format."""
    data = file.read_bytes()
    stream = io.BytesIO(data)
    for _ in range(3):
        pickle.load(stream)
    storages = _Storages(stream)
    found: dict[str, Any] = storages.load()
    arrays: dict[str, np.ndarray] = {}
    for key in pickle.load(stream):
        (count,) = struct.unpack("<q", stream.read(8))
        kind = np.dtype(storages.types[key])
        arrays[key] = np.frombuffer(stream.read(count * kind.itemsize), kind)
    return {name: _view(arrays[storage], *place) for name, (storage, *place) in found.items()}


def _view(numbers: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> np.ndarray:
    return np.lib.stride_tricks.as_strided(numbers[offset:], size, [step * numbers.itemsize for step in stride], writeable=False)


def build(file: Path) -> Any:
    """The ``ov.Model``: float32 ``[1, 3, 224, 224]`` to ``[1, 1000]``."""
    from openvino import Model
    from openvino import opset15 as ops

    found = weights(file)

    def constant(value: Any) -> Any:
        return ops.constant(np.ascontiguousarray(value, np.float32))

    def normal(value: Any, name: str) -> Any:
        scale = found[f"{name}.weight"] / np.sqrt(found[f"{name}.running_var"] + EPSILON)
        shift = found[f"{name}.bias"] - found[f"{name}.running_mean"] * scale
        return ops.add(ops.multiply(value, constant(scale.reshape(1, -1, 1, 1))), constant(shift.reshape(1, -1, 1, 1)))

    def convolution(value: Any, name: str, stride: int = 1) -> Any:
        weight = found[f"{name}.weight"]
        edges: Any = ([stride, stride], [0, 0], [0, 0], [1, 1], "same_upper")
        if weight.shape[1] == 1 and weight.shape[0] > 1 and "depthwise" in name:
            return ops.group_convolution(value, constant(weight[:, None]), *edges)
        return ops.convolution(value, constant(weight), *edges)

    def relu6(value: Any) -> Any:
        return ops.clamp(value, 0.0, 6.0)

    image = ops.parameter([1, 3, SIDE, SIDE], np.float32, "image")
    value, number, channels = relu6(normal(convolution(image, "_conv_stem", 2), "_bn0")), 0, 32
    for repeats, _, stride, expansion, out in BLOCKS:
        for repeat in range(repeats):
            name, before = f"_blocks.{number}.", value
            step = stride if repeat == 0 else 1
            if expansion > 1:
                value = relu6(normal(convolution(value, f"{name}_expand_conv"), f"{name}_bn0"))
            value = relu6(normal(convolution(value, f"{name}_depthwise_conv", step), f"{name}_bn1"))
            value = normal(convolution(value, f"{name}_project_conv"), f"{name}_bn2")
            if step == 1 and channels == out:
                value = ops.add(value, before)
            channels, number = out, number + 1
    value = relu6(normal(convolution(value, "_conv_head"), "_bn1"))
    value = ops.reduce_mean(value, ops.constant(np.array([2, 3])), False)
    value = ops.add(ops.matmul(value, constant(found["_fc.weight"]), False, True), constant(found["_fc.bias"]))
    model = Model([ops.result(value)], [image], "efficientnet-lite0")
    model.inputs[0].get_tensor().set_names({"image"})
    model.outputs[0].get_tensor().set_names({"logits"})
    return model


def crops(count: int, seed: int = 0) -> np.ndarray:
    """Parts of the two photographs that scikit-learn carries, as the network wants them, float32 ``[count, 3, 224, 224]``."""
    import sklearn
    from PIL import Image

    random = np.random.default_rng(seed)
    folder = Path(sklearn.__file__).parent / "datasets/images"
    photographs = [Image.open(folder / name).convert("RGB") for name in ("china.jpg", "flower.jpg")]
    made = []
    for number in range(count):
        photograph = photographs[number % 2]
        side = int(random.integers(120, min(photograph.size)))
        left, top = (int(random.integers(0, edge - side)) for edge in photograph.size)
        part = photograph.crop((left, top, left + side, top + side)).resize((SIDE, SIDE))
        made.append((np.asarray(part, np.float32) - 127.0) / 128.0)
    return np.stack(made).transpose(0, 3, 1, 2)
