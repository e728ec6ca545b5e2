"""Small models with seeded weights, written as files: what tests of optimisation work on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES, SIDE = 4, 12


def classifier(file: Path, seed: int = 0) -> Path:
    """An ONNX network: float32 ``x`` ``[n, 3, 12, 12]`` to ``y`` ``[n, 4]``; two convolutions, a mean, a matrix."""
    random = np.random.default_rng(seed)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(random.normal(0, 0.3, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("GlobalAveragePool", ["r2"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("MatMul", ["f", "w3"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", CLASSES])],
        [weight("w1", 16, 3, 3, 3), weight("b1", 16), weight("w2", 32, 16, 3, 3), weight("b2", 32), weight("w3", 32, CLASSES)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
    return file


def pictures(count: int, seed: int = 1) -> np.ndarray:
    """Inputs of it, float32 ``[count, 3, 12, 12]``."""
    return np.random.default_rng(seed).normal(0, 1, (count, 3, SIDE, SIDE)).astype(np.float32)


def samples(file: Path, count: int = 48) -> Path:
    """An .npz of inputs."""
    np.savez(file, x=pictures(count))
    return file


def encoder(folder: Path, *, words: int = 60, hidden: int = 32, layers: int = 2, seed: int = 0) -> Path:
    """A BERT with random weights as Hugging Face writes it: config.json, model.safetensors, tokenizer.json."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}

    def add(name: str, *shape: int) -> None:
        tensors[name] = random.normal(0, 0.3, shape).astype(np.float32)

    def norm(name: str) -> None:
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = np.ones(hidden, np.float32), np.zeros(hidden, np.float32)

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "##s", ",", ".", *(f"word{place}" for place in range(words - 7))]
    add("embeddings.word_embeddings.weight", words, hidden)
    add("embeddings.position_embeddings.weight", 64, hidden)
    add("embeddings.token_type_embeddings.weight", 2, hidden)
    norm("embeddings.LayerNorm")
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}."
        wide = (("intermediate.dense", 4 * hidden, hidden), ("output.dense", hidden, 4 * hidden))
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            add(f"{prefix}{name}.weight", hidden, hidden)
            add(f"{prefix}{name}.bias", hidden)
        for name, out, into in wide:
            add(f"{prefix}{name}.weight", out, into)
            add(f"{prefix}{name}.bias", out)
        norm(f"{prefix}attention.output.LayerNorm")
        norm(f"{prefix}output.LayerNorm")
    write_safetensors(folder / "model.safetensors", tensors)
    config = {
        "model_type": "bert", "hidden_act": "gelu", "hidden_size": hidden, "num_attention_heads": 4, "num_hidden_layers": layers,
        "layer_norm_eps": 1e-12, "max_position_embeddings": 64,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    special = [{"id": place, "content": vocabulary[place], "lstrip": False, "rstrip": False} for place in range(4)]
    single = [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
    ]
    tokenizer = {
        "added_tokens": special,
        "padding": None,
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing", "single": single, "pair": single,
            "special_tokens": {"[CLS]": {"ids": [2]}, "[SEP]": {"ids": [3]}},
        },
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "vocab": {word: place for place, word in enumerate(vocabulary)},
        },
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return folder


def write_safetensors(file: Path, tensors: dict[str, np.ndarray]) -> None:
    """The format itself, so that the reader isn't tested by its own kin."""
    header, data = {}, b""
    for name, value in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(data), len(data) + value.nbytes]}
        data += value.tobytes()
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)


def tflite(file: Path) -> Path:
    """A TensorFlow Lite file of one layer: float32 ``x`` ``[1, 8]`` times weights of 0.5, ``[4, 8]``."""
    import flatbuffers
    import tflite as schema

    builder = flatbuffers.Builder(1024)

    def vector(start: Callable[[Any, int], Any], items: list[int]) -> int:
        start(builder, len(items))
        for item in reversed(items):
            builder.PrependUOffsetTRelative(item)
        return int(builder.EndVector())

    def buffer(data: bytes) -> int:
        content = builder.CreateByteVector(data) if data else None
        schema.BufferStart(builder)
        if content is not None:
            schema.BufferAddData(builder, content)
        return int(schema.BufferEnd(builder))

    def tensor(name: str, shape: list[int], place: int) -> int:
        text, sizes = builder.CreateString(name), builder.CreateNumpyVector(np.array(shape, np.int32))
        schema.TensorStart(builder)
        schema.TensorAddShape(builder, sizes)
        schema.TensorAddType(builder, schema.TensorType.FLOAT32)
        schema.TensorAddBuffer(builder, place)
        schema.TensorAddName(builder, text)
        return int(schema.TensorEnd(builder))

    def numbers(values: list[int]) -> int:
        return int(builder.CreateNumpyVector(np.array(values, np.int32)))

    buffers = vector(schema.ModelStartBuffersVector, [buffer(b""), buffer(np.full((4, 8), 0.5, np.float32).tobytes())])
    tensors = vector(schema.SubGraphStartTensorsVector, [tensor("x", [1, 8], 0), tensor("w", [4, 8], 1), tensor("y", [1, 4], 0)])
    schema.FullyConnectedOptionsStart(builder)
    options = schema.FullyConnectedOptionsEnd(builder)
    into, out = numbers([0, 1, -1]), numbers([2])
    schema.OperatorStart(builder)
    schema.OperatorAddOpcodeIndex(builder, 0)
    schema.OperatorAddInputs(builder, into)
    schema.OperatorAddOutputs(builder, out)
    schema.OperatorAddBuiltinOptionsType(builder, schema.BuiltinOptions.FullyConnectedOptions)
    schema.OperatorAddBuiltinOptions(builder, options)
    operators = vector(schema.SubGraphStartOperatorsVector, [schema.OperatorEnd(builder)])
    into, out = numbers([0]), numbers([2])
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    schema.SubGraphAddInputs(builder, into)
    schema.SubGraphAddOutputs(builder, out)
    schema.SubGraphAddOperators(builder, operators)
    graphs = vector(schema.ModelStartSubgraphsVector, [schema.SubGraphEnd(builder)])
    schema.OperatorCodeStart(builder)
    schema.OperatorCodeAddDeprecatedBuiltinCode(builder, schema.BuiltinOperator.FULLY_CONNECTED)
    schema.OperatorCodeAddBuiltinCode(builder, schema.BuiltinOperator.FULLY_CONNECTED)
    codes = vector(schema.ModelStartOperatorCodesVector, [schema.OperatorCodeEnd(builder)])
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddOperatorCodes(builder, codes)
    schema.ModelAddSubgraphs(builder, graphs)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    file.write_bytes(bytes(builder.Output()))
    return file


def sentences(count: int, words: int = 60) -> list[str]:
    """Texts of that encoder's words."""
    random = np.random.default_rng(3)
    return [" ".join(f"word{place}" for place in random.integers(0, words - 7, random.integers(3, 20))) for _ in range(count)]
