"""A benchmark for people: Markdown and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentnb.optimization import plots

_PICTURES = 8
_NETWORK = ("model", "batch×length", "p50 ms", "p90", "p99", "a second", "× peers", "computed in", "of peak", "of memory", "load s", "MB")
_TEXT = ("model", "prompt", "prefill tokens/s", "decode tokens/s", "first token ms", "× peers", "of memory", "load s", "MB")
_COLUMNS = {
    "batch×length": "samples in one inference, and tokens in each of them",
    "p50 ms": "half of the inferences took no longer; p90, p99: 90 and 99 of 100",
    "a second": "samples a second",
    "prompt": "its tokens; prefill is reading them, decode is writing the answer, one token after the other",
    "× peers": "how many times as much as the peer does in the same time; below 1 the peer is faster",
    "computed in": "what most layers really run in",
    "of peak": "arithmetic, as a share of a large matrix product's in that precision; empty where the graph doesn't tell",
    "of memory": "how fast weights are read, as a share of reading main memory; cache: faster, so the processor's cache holds them",
    "load s": "until the model was ready; MB: by how much the process grew meanwhile",
}
"""What the columns mean that don't say it themselves."""


def label(row: Mapping[str, Any]) -> str:
    """How a row is called: only what tells it from others of its run."""
    parts = [row["model"], row["engine"] if row["engine"] != "openvino" else "", row["hint"].lower() if row["hint"] == "THROUGHPUT" else ""]
    parts += [f"{row['streams']} streams" if row["streams"] else "", f"{row['threads']} threads" if row["threads"] else ""]
    parts += [row["precision"] if row["engine"] == "openvino" and row["precision"] != "default" else ""]
    return " ".join(part for part in parts if part)


def size(row: Mapping[str, Any]) -> str:
    """Batch and length, where texts are read."""
    return f"{row['batch']}×{row['length']}" if row["length"] else str(row["batch"])


def markdown(found: Mapping[str, Any]) -> str:
    """All rows as tables."""
    machine = found["machine"]
    roof = ", ".join(f"{name} {value:,.0f} {'GB/s' if name == 'memory' else 'GFLOP/s'}" for name, value in machine["peak"].items())
    lines = [
        f"# Benchmark of {', '.join(found['task']['models'])}",
        "",
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, on {machine['device']}; {found['made_at']}.",
        f"Peak measured here: {roof}." if roof else "",
        "",
    ]
    networks = [row for row in found["rows"] if "prefill_tokens_s" not in row]
    texts = [row for row in found["rows"] if "prefill_tokens_s" in row]
    if networks:
        lines += [*_table(_NETWORK, [_network(row) for row in networks]), ""]
    if texts:
        lines += [*_table(_TEXT, [_text(row) for row in texts]), ""]
    lines += [f"- {name}: {meaning}" for name, meaning in _COLUMNS.items() if name in (*_NETWORK * bool(networks), *_TEXT * bool(texts))]
    lines.append("")
    lines.append("Versions: " + ", ".join(f"{name} {number}" for name, number in machine["versions"].items()) + ".")
    return "\n".join(lines) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table that also reads well as it is."""
    widths = [max(len(line[place]) for line in (columns, *rows)) for place in range(len(columns))]

    def shown(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"

    return [shown(columns), shown(["-" * width for width in widths]), *map(shown, rows)]


def _network(row: Mapping[str, Any]) -> list[str]:
    cells = [
        label(row),
        size(row),
        *(f"{row[f'p{percent}_ms']:.2f}" for percent in (50, 90, 99)),
        f"{row['throughput']:,.1f}",
        _ratios(row),
    ]
    cells += [
        row["computed_in"],
        _percent(row["peak_share"]),
        _memory(row["memory_share"]),
        f"{row['load_s']:.2f}",
        f"{row['memory_mb']:.0f}",
    ]
    return cells


def _text(row: Mapping[str, Any]) -> list[str]:
    cells = [
        label(row),
        str(row["length"]),
        f"{row['prefill_tokens_s']:,.0f}",
        f"{row['decode_tokens_s']:,.1f}",
        f"{row['first_token_ms']:.0f}",
    ]
    cells += [_ratios(row), _memory(row["memory_share"]), f"{row['load_s']:.2f}", f"{row['memory_mb']:.0f}"]
    return cells


def _ratios(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{value:.2f} {peer}" for peer, value in row["ratios"].items())


def _memory(share: float | None) -> str:
    return "cache" if share is not None and share > 1 else _percent(share)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def pictures(found: Mapping[str, Any]) -> dict[str, str]:
    """SVG by the file's name: bars for each size, and curves over several sizes; of a language model, of reading and of writing."""
    networks = [row for row in found["rows"] if "prefill_tokens_s" not in row]
    texts = [row for row in found["rows"] if "prefill_tokens_s" in row]
    return {
        **_drawn(networks, "throughput", "throughput", "A second"),
        **_drawn(texts, "prefill", "prefill_tokens_s", "Tokens read a second"),
        **_drawn(texts, "decode", "decode_tokens_s", "Tokens written a second"),
    }


def overview(found: Mapping[str, Any]) -> list[str]:
    """Those of the pictures that show most: the curves, or the bars where there is one size."""
    made = pictures(found)
    return [picture for name, picture in made.items() if "-by-" in name] or list(made.values())


def _drawn(rows: Sequence[Mapping[str, Any]], file: str, figure: str, title: str) -> dict[str, str]:
    made: dict[str, str] = {}
    names = list(dict.fromkeys(row["engine"] for row in rows))
    for one in list(dict.fromkeys(size(row) for row in rows))[:_PICTURES]:
        bars = [(label(row), float(row[figure]), str(names.index(row["engine"]))) for row in rows if size(row) == one]
        made[f"{file}-{one.replace('×', 'x')}.svg"] = plots.bars(f"{title}, at {one}", bars, "/s")
    for axis in ("batch", "length"):
        curves = _curves(rows, axis, figure)
        if any(len(curve) > 1 for curve in curves.values()):
            made[f"{file}-by-{axis}.svg"] = plots.lines(f"{title}, by {axis}", curves, axis, "a second")
    return made


def _curves(rows: Sequence[Mapping[str, Any]], axis: str, figure: str) -> dict[str, list[tuple[float, float]]]:
    other = "length" if axis == "batch" else "batch"
    fixed = max((row[other] for row in rows), default=0)
    curves: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if row[other] == fixed:
            curves.setdefault(label(row), []).append((float(row[axis]), float(row[figure])))
    return {name: sorted(curve) for name, curve in list(curves.items())[:_PICTURES]}
