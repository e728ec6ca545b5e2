"""One model, whatever it was written as: the graph, what kind of model it is, its tokenizer, and the files it came from."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agentnb import config, plugins
from agentnb.errors import AgentNBError, ConfigurationError, MissingExtra, cause
from agentnb.optimization.metrics import function
from agentnb.optimization.packages import core, openvino
from agentnb.optimization.sources import encoder, wordpiece

Kind = Literal["encoder", "llm", "network"]
IR = "openvino_model.xml"
_COMPANIONS = ("*.json", "openvino_detokenizer.*", "vocab.txt", "*.jinja")
_TOGETHER = {"ir": "an IR consists of .xml and .bin", "safetensors": "model.safetensors.index.json names it"}
_EXTERNAL = re.compile(r"externally stored data in file \((.+?), offset")
_SUFFIXES = {".onnx": "onnx", ".xml": "ir", ".tflite": "tflite", ".gguf": "gguf"}


@dataclass(frozen=True)
class Source:
    """A model that was read.

    Attributes:
        name: How reports call it.
        format: ``onnx``, ``ir``, ``tflite``, ``gguf``, ``safetensors`` or ``torch``.
        kind: An ``encoder`` gives hidden states of texts, an ``llm`` the logits of next tokens, a ``network`` anything else.
        model: The ``ov.Model``, as it was read; who changes it works on ``model.clone()``.
        tokenizer: The ``ov.Model`` that makes token IDs of strings, or None.
        path: The file or folder it came from; None for a PyTorch module.
        folder: Where its graph and its tokenizer lie; of a GGUF file it is the one it was converted to.
        companions: Files that belong beside the result, such as ``config.json``.
        fingerprint: SHA-256 of its content.
        original: The PyTorch module itself, for those who compare with it.
    """

    name: str
    format: str
    kind: Kind
    model: Any
    tokenizer: Any
    path: Path | None
    folder: Path | None
    companions: tuple[Path, ...]
    fingerprint: str
    original: Any = None

    @property
    def graph(self) -> Path | None:
        """The file of an IR; None where OpenVINO doesn't read it by itself."""
        if self.format != "ir" or self.path is None:
            return None
        return self.path / IR if self.path.is_dir() else self.path

    @property
    def operators(self) -> frozenset[str]:
        """Types of the operators in its graph."""
        return frozenset(node.get_type_name() for node in self.model.get_ops())


def open_source(model: Any, example: Callable[[], Any] | None = None) -> Source:
    """Read a model.

    Args:
        model: The path of an .onnx, .xml, .tflite or .gguf file, of an IR folder, of a folder with config.json and model.safetensors or its
            shards; ``module:factory`` for a function that makes a PyTorch module; or a PyTorch module itself.
        example: Gives one input of a PyTorch module, by which its shapes are found.

    Raises:
        ConfigurationError: There is no such model, it is damaged, or of a kind that can't be read.
        MissingExtra: A PyTorch module was named, and torch is not installed.
    """
    if not isinstance(model, str | Path):
        return _torch(model, type(model).__name__, example)
    path = Path(model).expanduser()
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        return _file(path)
    if ":" in str(model) and path.suffix not in _SUFFIXES:
        return _torch(_made(str(model)), str(model), example)
    raise ConfigurationError(
        f"{model}: there is no such file or folder: name an .onnx, .xml, .tflite or .gguf file, or a folder of a model"
    )


def _made(name: str) -> Any:
    """The PyTorch module that ``module:factory`` names or makes."""
    found = function(name, "MODEL")
    if not callable(found) or hasattr(found, "state_dict"):
        return found
    try:
        return found()
    except Exception as error:
        raise ConfigurationError(f"{name} raised {type(error).__name__}: {error}: mend it, it has to give a PyTorch module") from error


def _folder(path: Path) -> Source:
    if (path / IR).is_file():
        return _source(path, "ir", path / IR, path)
    if encoder.files(path):
        return _source(path, "safetensors", path, path)
    inside = sorted(file for suffix in _SUFFIXES for file in path.glob(f"*{suffix}") if "tokenizer" not in file.name)
    if len(inside) != 1:
        found = ", ".join(file.name for file in inside[:5]) or "none"
        raise ConfigurationError(f"{path} holds no {IR} and no model.safetensors: name the model's file (found here: {found})")
    return _file(inside[0])


def _file(path: Path) -> Source:
    if path.name == "model.safetensors":
        return _folder(path.parent)
    form = _SUFFIXES.get(path.suffix.lower())
    if form == "gguf":
        folder = plugins.load("agentnb.converters", "gguf")(path, config.load().cache / "models")
        return _source(path, "gguf", folder / IR, folder)
    if form is None:
        more = ""
        if path.suffix in (".pt", ".pth", ".bin"):
            more = (
                ": opening a pickle runs whatever code is in it, so write a function that makes the module, and name it as module:function"
            )
        raise ConfigurationError(f"{path} can't be read as a model; there are {', '.join(_SUFFIXES)} and folders{more}")
    return _source(path, form, path, path.parent)


def _source(path: Path, form: str, graph: Path, folder: Path) -> Source:
    files = (graph, graph.with_suffix(".bin")) if form == "ir" else encoder.files(folder) if form == "safetensors" else (path,)
    for file in files:
        if not file.is_file():
            raise ConfigurationError(f"{file} is missing: {_TOGETHER[form]}, fetch or export all")
    model = encoder.build(folder) if form == "safetensors" else _read(graph)
    kind = kind_of(model)
    companions = sorted(
        {found for pattern in _COMPANIONS for found in folder.glob(pattern) if found.is_file() and found.name != "agentnb.json"}
    )
    keeps = form in ("safetensors", "gguf") or (form == "ir" and graph.name == IR) or (folder / "tokenizer.json").is_file()
    return Source(
        path.stem if path.is_file() else path.resolve().name,
        form,
        kind,
        model,
        _tokenizer(folder, form) if kind != "network" else None,
        path.resolve(),
        folder.resolve(),
        tuple(companions) if keeps and kind != "network" else (),
        _digest(files),
    )


def _read(file: Path) -> Any:
    if file.suffix.lower() == ".onnx" and not _is_onnx(file):
        raise ConfigurationError(f"{file} is no ONNX model, is damaged or cut off: fetch or export it again")
    try:
        return core().read_model(file)
    except Exception as error:
        beside = _EXTERNAL.search(str(error))
        if beside:
            what = "is damaged or cut off" if (file.parent / beside[1]).is_file() else "is missing"
            raise ConfigurationError(f"{file} keeps its weights in {beside[1]} beside it, which {what}: fetch or export both") from None
        raise ConfigurationError(
            f"{file} can't be read: {cause(error)}: it is damaged, cut off, or uses operators that OpenVINO doesn't know; "
            "fetch or export it again"
        ) from error


def _is_onnx(file: Path) -> bool:
    """Asks the one reader, for otherwise all of them try it, and write of it on standard error."""
    openvino()
    from openvino.frontend import FrontEndManager

    return bool(FrontEndManager().load_by_framework("onnx").supported(str(file)))


def kind_of(model: Any) -> Kind:
    """What a graph is, by the names of its inputs and outputs."""
    inputs = {name for port in model.inputs for name in port.get_names()}
    outputs = {name for port in model.outputs for name in port.get_names()}
    if "beam_idx" in inputs or ("logits" in outputs and model.get_sinks()):
        return "llm"
    if {"input_ids", "attention_mask"} <= inputs and "logits" not in outputs:
        return "encoder"
    return "network"


def _tokenizer(folder: Path, form: str) -> Any:
    ready = folder / "openvino_tokenizer.xml"
    if ready.is_file():
        return _read(ready)
    if (folder / "tokenizer.json").is_file():
        try:
            return wordpiece.build(folder)
        except ConfigurationError:
            if form == "safetensors":
                raise
    return None


def _torch(module: Any, name: str, example: Callable[[], Any] | None) -> Source:
    if importlib.util.find_spec("torch") is None:
        raise MissingExtra("torch")
    import torch

    if not isinstance(module, torch.nn.Module):
        raise ConfigurationError(f"{name} is of type {type(module).__name__}, not a PyTorch module: give a path, or a torch.nn.Module")
    if example is None:
        raise ConfigurationError(f"{name} is a PyTorch module, whose shapes only an input tells: give --calibration data")
    inputs = {key: torch.from_numpy(value) for key, value in example().items()}
    given = inputs if len(inputs) > 1 else next(iter(inputs.values()))
    try:
        with torch.no_grad():
            model = openvino().convert_model(module.eval(), example_input=given)
    except AgentNBError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"{name} can't be converted: {cause(error)}: check that it runs on the calibration data, or export it to ONNX"
        ) from error
    for port, key in zip(model.inputs, inputs, strict=False):
        port.get_tensor().add_names({key})
    digest = hashlib.sha256(repr(module).encode())
    for key, value in module.state_dict().items():
        digest.update(key.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return Source(name.replace(":", "-"), "torch", kind_of(model), model, None, None, None, (), digest.hexdigest(), module)


def _digest(files: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
