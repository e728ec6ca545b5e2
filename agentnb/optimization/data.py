"""Calibration and evaluation sets: what a model is quantised by, and what it is judged on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnb.errors import ConfigurationError
from agentnb.optimization.metrics import function

if TYPE_CHECKING:
    from agentnb.optimization.sources import Source

LIMIT = 2000
TARGETS = ("targets", "labels", "target")
PIXELS = ("imagenet", "unit", "signed", "raw")
_JUDGED = 2
"""Samples that the gate needs at least: the loss of a single one has no interval."""

_IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}


@dataclass(frozen=True)
class Sample:
    """One input of a model, arrays by the names of its inputs, and what is known of the answer."""

    inputs: Mapping[str, Any]
    target: Any = None


@dataclass(frozen=True)
class Raw:
    """What was read before the model was known: one text, image, or set of arrays."""

    value: Any
    target: Any = None


def read(data: Any, *, limit: int = LIMIT) -> list[Raw]:
    """Read a set.

    Args:
        data: The path of an .npz or .npy file (arrays named as the model's inputs, the first axis counts the samples, ``targets`` beside
            them), a .jsonl file (``{"text": …}`` or ``{"inputs": {…}}`` and ``"target"``), a .txt file (a text a line), a folder of
            images (the folder's name is the target where it is a number); ``module:function``; or any iterable, or a function that gives
            one. Items of these are texts, arrays, dicts of arrays, or pairs of such and a target.
        limit: Read no more than so many.

    Raises:
        ConfigurationError: It isn't there, is empty, or can't be understood; the message names the place.
    """
    place = data if isinstance(data, str | Path) else "the calibration data"
    found: list[Raw] = []
    for item in _items(data):
        found.append(item)
        if len(found) == limit:
            break
    if not found:
        raise ConfigurationError(f"{place} is empty: give samples such as the model will see, at least some dozens")
    return found


def _items(data: Any) -> Iterator[Raw]:
    if isinstance(data, str | Path):
        path = Path(data).expanduser()
        if path.is_dir():
            return _images(path)
        readers = {".npz": _stacked, ".npy": _stacked, ".jsonl": _jsonl, ".txt": _txt}
        if path.suffix in readers:
            if not path.is_file():
                raise ConfigurationError(f"{path}: there is no such file")
            return readers[path.suffix](path)
        if ":" not in str(data):
            raise ConfigurationError(f"{data}: data is an .npz, .npy, .jsonl or .txt file, a folder of images, or module:function")
        data = function(str(data), "--calibration")
    return _iterated(data)


def _iterated(data: Any) -> Iterator[Raw]:
    count = 0
    try:
        source: Iterable[Any] = data() if callable(data) else data
        for item in source:
            count += 1
            yield Raw(*item) if isinstance(item, tuple) and len(item) == 2 else item if isinstance(item, Raw) else Raw(item)
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(f"the data raised {type(error).__name__} after {count} samples: {error}: mend what makes it") from error


def _stacked(path: Path) -> Iterator[Raw]:
    arrays = _loaded(path)
    shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in arrays.items())
    sizes = {value.shape[:1] for value in arrays.values()}
    key = next((name for name in TARGETS if name in arrays), None)
    targets = arrays.pop(key) if key else None
    if not arrays or len(sizes) != 1 or () in sizes:
        raise ConfigurationError(f"{path}: all arrays need the same first axis, which counts the samples; it has {shapes or 'no arrays'}")
    for number in range(len(next(iter(arrays.values())))):
        yield Raw({name: value[number : number + 1] for name, value in arrays.items()}, None if targets is None else targets[number])


def _loaded(path: Path) -> dict[str, Any]:
    import numpy as np

    try:
        with path.open("rb") as stream:
            found = np.load(stream, allow_pickle=False)
            return dict(found) if hasattr(found, "files") else {"input": found}
    except Exception as error:
        raise ConfigurationError(f"{path} can't be read ({error}): write it with numpy.savez, without Python objects") from error


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            yield from ((number, line.rstrip("\n")) for number, line in enumerate(stream, 1) if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} can't be read ({error}): it has to be UTF-8 text") from None


def _txt(path: Path) -> Iterator[Raw]:
    return (Raw(line) for _, line in _lines(path))


def _jsonl(path: Path) -> Iterator[Raw]:
    for number, line in _lines(path):
        try:
            item = json.loads(line)
            value = item["text"] if "text" in item else {name: _array(value) for name, value in item["inputs"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(f'{path}, line {number}: {error}: each line is {{"text": …}} or {{"inputs": {{…}}}}') from None
        yield Raw(value, item.get("target"))


def _array(value: Any) -> Any:
    import numpy as np

    return np.asarray(value)


def _images(folder: Path) -> Iterator[Raw]:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _IMAGES)
    if not files:
        raise ConfigurationError(f"{folder} holds no images ({', '.join(sorted(_IMAGES))})")
    for path in files:
        yield Raw(path, int(path.parent.name) if path.parent.name.isdigit() else None)


def fit(raw: list[Raw], source: Source, *, pixels: str = "imagenet") -> list[Sample]:
    """Make inputs of that model of what was read.

    Args:
        raw: What ``read`` gave.
        source: The model.
        pixels: How images become numbers: ``imagenet`` (0 to 1, less the mean, by the deviation), ``unit`` (0 to 1), ``signed`` (-1 to 1),
            ``raw`` (0 to 255).

    Raises:
        ConfigurationError: A sample doesn't fit the model, or holds NaN or infinite numbers; the message names the sample.
    """
    if pixels not in PIXELS:
        raise ConfigurationError(f"--pixels {pixels}: it is one of {', '.join(PIXELS)}")
    from agentnb.optimization.inputs import Fitting

    fitting = Fitting(source, pixels)
    return [Sample(fitting.inputs(item.value, number), item.target) for number, item in enumerate(raw)]


def split(samples: list[Sample], evaluation: list[Sample] | None) -> tuple[list[Sample], list[Sample]]:
    """What to calibrate by, and what to judge on: where only one set is given, every other sample, so that none is judged that was seen.

    Raises:
        ConfigurationError: There are too few.
    """
    calibration, judged = (samples[::2], samples[1::2]) if evaluation is None else (samples, evaluation)
    if len(judged) < _JUDGED:
        few = f"{len(samples)} samples" if evaluation is None else f"{len(judged)} of --evaluation"
        raise ConfigurationError(f"{few} are too few to judge by: give some dozens{', or --evaluation data' if evaluation is None else ''}")
    return calibration, judged


def digest(samples: Iterable[Sample]) -> str:
    """SHA-256 over all arrays and targets."""
    found = hashlib.sha256()
    for sample in samples:
        for name, value in sorted(sample.inputs.items()):
            found.update(f"{name}{value.dtype}{value.shape}".encode() + value.tobytes())
        target = sample.target
        found.update(target.tobytes() if hasattr(target, "tobytes") else repr(target).encode())
    return found.hexdigest()
