"""BERT-like encoders from their safetensors file: the graph is built by OpenVINO's operators, without torch or transformers.

The layers are those of Devlin et al., BERT (arXiv:1810.04805); names of weights are those of Hugging Face's ``BertModel``.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from agentnb.errors import ConfigurationError, cause

_TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "F64": "<f8", "I64": "<i8", "I32": "<i4", "U8": "u1"}
_ACTIVATIONS = {"gelu": "erf", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh"}
FAMILIES = ("bert",)
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_HEADER_LIMIT = 100_000_000


def read_tensors(file: Path) -> dict[str, Any]:
    """The arrays of a safetensors file, as views of the file; bfloat16 becomes float32.

    The format is described at https://huggingface.co/docs/safetensors.

    Raises:
        ConfigurationError: The file is damaged or cut off.
    """
    import numpy as np

    try:
        data = np.memmap(file, np.uint8, "r")
        (size,) = struct.unpack("<Q", bytes(data[:8]))
        if size > min(_HEADER_LIMIT, len(data) - 8):
            raise ValueError("the header says that it is longer than the file")
        header = json.loads(bytes(data[8 : 8 + size]))
        header.pop("__metadata__", None)
        return {name: _array(np, data[8 + size :], **entry) for name, entry in header.items()}
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise ConfigurationError(f"{file} is no safetensors file, is damaged or cut off ({error}): fetch it again") from None


def _array(np: Any, data: Any, dtype: str, shape: list[int], data_offsets: list[int]) -> Any:
    start, end = data_offsets
    part = data[start:end]
    if len(part) != end - start:
        raise ValueError("the file ends inside a tensor")
    array = part.view(_TYPES[dtype]).reshape(shape)
    return (array.astype(np.uint32) << 16).view(np.float32) if dtype == "BF16" else array


def files(folder: Path) -> tuple[Path, ...]:
    """The safetensors files of a folder: the one, or the shards that its index names, there or not; none where it has neither.

    Raises:
        ConfigurationError: The index is damaged.
    """
    one, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if one.is_file() or not index.is_file():
        return (one,) if one.is_file() else ()
    try:
        return tuple(folder / name for name in sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{index} can't be read ({type(error).__name__}: {error}): fetch it again") from None


def build(folder: Path) -> Any:
    """The ``ov.Model`` of the encoder in a folder with ``config.json`` and ``model.safetensors``, or its shards.

    Its inputs are ``input_ids``, ``attention_mask`` and ``token_type_ids``, int64 of ``[batch, length]``; its output is
    ``last_hidden_state``, float32 of ``[batch, length, hidden]``.

    Raises:
        ConfigurationError: It is of another family, a file is damaged, or a weight is missing.
    """
    config = _config(folder / "config.json")
    tensors = {name.removeprefix("bert."): value for file in files(folder) for name, value in read_tensors(file).items()}
    try:
        return _Encoder(config, tensors).model()
    except KeyError as error:
        raise ConfigurationError(f"{folder} lacks {error}: its config.json and its weights don't belong together") from None
    except (TypeError, ValueError, ZeroDivisionError, RuntimeError) as error:
        raise ConfigurationError(
            f"{folder} can't be built ({cause(error)}): its config.json is damaged, or its weights belong to another"
        ) from error


def _config(file: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        family = config.get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{file} can't be read ({error}): a safetensors encoder needs its config.json") from None
    if family not in FAMILIES or config.get("position_embedding_type", "absolute") != "absolute":
        raise ConfigurationError(
            f"{file}: encoders of the family {family!r} can't be read from safetensors, only {', '.join(FAMILIES)}: export it to ONNX first"
        )
    if config.get("hidden_act") not in _ACTIVATIONS:
        raise ConfigurationError(f"{file}: hidden_act {config.get('hidden_act')!r} isn't known: export the model to ONNX first")
    return config


class _Encoder:
    """Builds the graph; ``[b, s, h]`` are batch, sequence and hidden size."""

    def __init__(self, config: dict[str, Any], tensors: dict[str, Any]) -> None:
        import numpy as np
        from openvino import opset15

        self._np, self._ops = np, opset15
        self._config, self._tensors = config, tensors
        self._heads = int(config["num_attention_heads"])
        self._size = int(config["hidden_size"]) // self._heads

    def model(self) -> Any:
        from openvino import Model

        ops = self._ops
        inputs = [ops.parameter([-1, -1], self._np.int64, name) for name in _INPUTS]
        ids, mask, types = inputs
        hidden = self._embeddings(ids, types)
        bias = self._bias(mask)
        for number in range(int(self._config["num_hidden_layers"])):
            hidden = self._layer(f"encoder.layer.{number}.", hidden, bias)
        model = Model([ops.result(hidden)], inputs, "encoder")
        for port, name in zip([*model.inputs, *model.outputs], (*_INPUTS, "last_hidden_state"), strict=True):
            port.get_tensor().set_names({name})
        return model

    def _weight(self, name: str) -> Any:
        return self._ops.constant(self._np.ascontiguousarray(self._tensors[name], self._np.float32), name=name)

    def _number(self, value: Any, kind: Any) -> Any:
        return self._ops.constant(self._np.array(value, kind))

    def _embeddings(self, ids: Any, types: Any) -> Any:
        ops, np = self._ops, self._np
        zero = self._number(0, np.int64)
        length = ops.gather(ops.shape_of(ids), self._number(1, np.int64), zero)
        places = ops.range(zero, length, self._number(1, np.int64), "i64")
        words, positions, kinds = (
            ops.gather(self._weight(f"embeddings.{name}.weight"), which, zero)
            for name, which in (("word_embeddings", ids), ("position_embeddings", places), ("token_type_embeddings", types))
        )
        return self._norm("embeddings.LayerNorm", ops.add(ops.add(words, kinds), positions))

    def _bias(self, mask: Any) -> Any:
        """What is added to the attention's scores: 0 where there is a token, the lowest number where there is padding."""
        ops, np = self._ops, self._np
        wide = ops.unsqueeze(ops.convert(mask, "f32"), self._number([1, 2], np.int64))
        return ops.multiply(ops.subtract(self._number(1, np.float32), wide), self._number(np.finfo(np.float32).min, np.float32))

    def _layer(self, prefix: str, hidden: Any, bias: Any) -> Any:
        ops = self._ops
        attended = self._dense(f"{prefix}attention.output.dense", self._attention(f"{prefix}attention.self.", hidden, bias))
        hidden = self._norm(f"{prefix}attention.output.LayerNorm", ops.add(attended, hidden))
        wide = ops.gelu(self._dense(f"{prefix}intermediate.dense", hidden), _ACTIVATIONS[self._config["hidden_act"]])
        return self._norm(f"{prefix}output.LayerNorm", ops.add(self._dense(f"{prefix}output.dense", wide), hidden))

    def _attention(self, prefix: str, hidden: Any, bias: Any) -> Any:
        ops, np = self._ops, self._np
        split, order = self._number([0, 0, self._heads, self._size], np.int64), self._number([0, 2, 1, 3], np.int64)
        query, key, value = (
            ops.transpose(ops.reshape(self._dense(prefix + name, hidden), split, special_zero=True), order)
            for name in ("query", "key", "value")
        )
        scores = ops.matmul(ops.multiply(query, self._number(self._size**-0.5, np.float32)), key, False, True)
        mixed = ops.matmul(ops.softmax(ops.add(scores, bias), -1), value, False, False)
        joined = self._number([0, 0, self._heads * self._size], np.int64)
        return ops.reshape(ops.transpose(mixed, order), joined, special_zero=True)

    def _dense(self, name: str, value: Any) -> Any:
        return self._ops.add(self._ops.matmul(value, self._weight(f"{name}.weight"), False, True), self._weight(f"{name}.bias"))

    def _norm(self, name: str, value: Any) -> Any:
        ops, np = self._ops, self._np
        epsilon = float(self._config.get("layer_norm_eps", 1e-12))
        normal = ops.mvn(value, self._number([-1], np.int64), True, epsilon, "inside_sqrt")
        return ops.add(ops.multiply(normal, self._weight(f"{name}.weight")), self._weight(f"{name}.bias"))
