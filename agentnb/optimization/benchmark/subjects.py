"""The models that are measured, and how rows name them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from agentnb.optimization.benchmark.cases import Setting
from agentnb.optimization.export import MANIFEST, manifest
from agentnb.optimization.sources import Source, open_source


@dataclass(frozen=True)
class Subject:
    """A model to measure, how it wants to be compiled, and what its peers run."""

    name: str
    source: Source
    recipe: dict[str, Any]
    original: Source


def subject_of(model: Any, name: str = "") -> Subject:
    """Read a model; of a folder that was optimized also the original, which its peers run."""
    folder = Path(model).expanduser() if isinstance(model, str | Path) else None
    source = open_source(model)
    source = replace(source, name=name or source.name)
    if folder is None or not (folder / MANIFEST).is_file():
        return Subject(source.name, source, {}, source)
    told = manifest(folder)
    before = Path(told["source"]["path"])
    return Subject(source.name, source, dict(told["properties"]), open_source(before) if before.exists() else source)


def identity(subject: Subject, engine: str, setting: Setting, batch: int, length: int) -> dict[str, Any]:
    """What tells a row from others."""
    return {
        "model": subject.name if engine == "openvino" else subject.original.name,
        "original": subject.original.name,
        "kind": subject.source.kind,
        "engine": engine,
        "batch": batch,
        "length": length,
        **asdict(setting),
    }
