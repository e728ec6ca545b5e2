"""The result's folder: model, tokenizer, recipe, versions, hashes, figures and report, written as a whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentnb.errors import ConfigurationError
from agentnb.optimization import plots, report
from agentnb.optimization.execution import Compiled
from agentnb.optimization.folders import readable_errors, save, sha256, whole
from agentnb.optimization.report import Facts
from agentnb.optimization.sources.reading import IR
from agentnb.optimization.state import REPORT, Outcome
from agentnb.ports.optimizer import Optimized

MANIFEST = "agentnb.json"


def export(target: Path, facts: Facts, outcomes: Sequence[Outcome], winner: Outcome, model: Path) -> Optimized:
    """Write the folder; the model is the very file that was judged.

    Raises:
        OptimizationError: The disk is full, or the folder can't be written; nothing is left there.
    """
    verdict = winner.verdict
    if verdict is None or not verdict.passed:
        raise AssertionError(f"{winner.recipe.name} didn't pass the gate")
    told = report.data(facts, outcomes, winner)
    with whole(target) as folder:
        for part in (model, model.with_suffix(".bin")):
            shutil.copyfile(part, folder / part.name)
        if facts.source.tokenizer is not None:
            save(facts.source.tokenizer, folder / "openvino_tokenizer.xml")
        for file in facts.source.companions:
            shutil.copyfile(file, folder / file.name)
        _write_reports(folder, told)
        hashes = {file.name: sha256(file) for file in sorted(folder.iterdir())}
        manifest = {
            "format": report.FORMAT,
            "model": IR,
            "kind": facts.source.kind,
            "device": facts.device,
            "properties": winner.recipe.properties(),
            "recipe": next(row for row in told["recipes"] if row["status"] == "chosen"),
            **{key: told[key] for key in ("made_at", "source", "gate", "machine", "speed")},
            "sha256": hashes,
        }
        _write_json(folder / MANIFEST, manifest)
    return Optimized(target, winner.recipe.name, winner.speedup, verdict.drop, (verdict.low, verdict.high), told)


def write_report(folder: Path, facts: Facts, outcomes: Sequence[Outcome]) -> Path:
    """The report of a search that has no result; it lies with what the search has found, not where the result would be."""
    with readable_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _write_reports(folder, report.data(facts, outcomes, None))
    return folder / REPORT


def _write_reports(folder: Path, told: Mapping[str, Any]) -> None:
    _write_json(folder / "report.json", told)
    (folder / REPORT).write_text(
        report.markdown(told) + "\n![times as fast as the original](speed.svg)\n\n![what each recipe lost](gate.svg)\n", encoding="utf-8"
    )
    for name, picture in pictures(told).items():
        (folder / name).write_text(picture, encoding="utf-8")


def pictures(told: Mapping[str, Any]) -> dict[str, str]:
    """SVG by the file's name."""
    speeds = [(row["recipe"]["name"], float(row["speedup"]), row["status"]) for row in told["recipes"] if row["speedup"]]
    losses = plots.gate(f"What each recipe loses of {told['gate']['metric']}", told["recipes"], told["gate"]["max_drop"])
    return {"speed.svg": plots.bars("Times as fast as the original", speeds, "×", line=1.0), "gate.svg": losses}


def _write_json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def manifest(folder: Path) -> dict[str, Any]:
    """What the folder says of itself, after its files were compared with their hashes.

    Raises:
        ConfigurationError: It was not written by ``agentnb optimize``, or a file is missing or was changed.
    """
    try:
        told: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        changed = [name for name, digest in told["sha256"].items() if not (folder / name).is_file() or sha256(folder / name) != digest]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(f"{folder} was not written by `agentnb optimize` ({error})") from None
    if changed:
        raise ConfigurationError(f"{folder}: {', '.join(changed)} is missing or was changed since it was written: optimize the model again")
    return told


def load(folder: Path | str, device: str = "") -> Compiled:
    """A result, compiled with the precision that its recipe says; ``answer`` of it gives what the gate judged.

    Raises:
        ConfigurationError: See ``manifest``.
        OptimizationError: The device can't compile it.
    """
    place = Path(folder).expanduser()
    told = manifest(place)
    return Compiled(place / told["model"], told["kind"], device or told["device"], told["properties"])
