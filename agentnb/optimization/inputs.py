"""Makes a model's inputs of a text, an image or arrays, and checks that they fit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnb.errors import ConfigurationError, MissingExtra
from agentnb.optimization.packages import core

if TYPE_CHECKING:
    from agentnb.optimization.sources import Source

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_RANK_OF_IMAGES = 4


class Fitting:
    """Knows what one model takes."""

    def __init__(self, source: Source, pixels: str = "imagenet") -> None:
        self._source = source
        self._pixels = pixels
        self._ports = {
            port.get_any_name() if port.get_names() else f"input_{place}": port for place, port in enumerate(source.model.inputs)
        }
        self._tokenizer: Any = None

    def inputs(self, value: Any, number: int) -> dict[str, Any]:
        """Inputs of one sample, in the types that the model takes.

        Raises:
            ConfigurationError: They don't fit.
        """
        if isinstance(value, str):
            found = self.of_texts([value])
        elif isinstance(value, Path):
            found = {next(iter(self._ports)): self._image(value)}
        else:
            found = self._arrays(value, number)
        return {name: self._checked(name, array, number) for name, array in found.items()}

    def of_texts(self, texts: list[str]) -> dict[str, Any]:
        """Token IDs of some texts as one batch, and what else the model takes beside them.

        Raises:
            ConfigurationError: The model has no tokenizer.
        """
        import numpy as np

        if self._source.tokenizer is None:
            raise ConfigurationError(
                f"{self._source.name} has no tokenizer beside it (openvino_tokenizer.xml, or a BERT tokenizer.json): give token IDs as .npz"
            )
        if self._tokenizer is None:
            self._tokenizer = core().compile_model(self._source.tokenizer, "CPU")
        tokens = {port.get_any_name(): value for port, value in self._tokenizer(texts).items()}
        mask = tokens["attention_mask"]
        tokens["position_ids"] = np.maximum(np.cumsum(mask, -1) - 1, 0)
        tokens["beam_idx"] = np.arange(len(texts), dtype=np.int32)
        if "token_type_ids" not in tokens:
            tokens["token_type_ids"] = np.zeros_like(mask)
        return {name: tokens[name] for name in self._ports if name in tokens}

    def _arrays(self, value: Any, number: int) -> dict[str, Any]:
        import numpy as np

        if not isinstance(value, Mapping):
            value = {next(iter(self._ports)): value}
        found = {str(name): np.asarray(array) for name, array in value.items()}
        aliases = {alias: name for name, port in self._ports.items() for alias in port.get_names()}
        found = {aliases.get(name, name): array for name, array in found.items()}
        if len(self._ports) == len(found) == 1 and found.keys() != self._ports.keys():
            found = dict(zip(self._ports, found.values(), strict=True))
        if found.keys() != self._ports.keys():
            raise ConfigurationError(
                f"sample {number} has the inputs {', '.join(found)}, "
                f"but the model takes {', '.join(self._ports)}: name the arrays as the model does"
            )
        return found

    def _checked(self, name: str, array: Any, number: int) -> Any:
        import numpy as np

        port = self._ports[name]
        shape, wanted = list(array.shape), port.get_partial_shape()
        if not _matches(shape, wanted) and _matches([1, *shape], wanted):
            array, shape = array[None], [1, *shape]
        if not _matches(shape, wanted):
            raise ConfigurationError(
                f"sample {number}: {name} has the shape {shape}, but the model takes {wanted}: reshape or resize the data"
            )
        if array.dtype.kind not in "fiub":
            raise ConfigurationError(f"sample {number}: {name} is of the type {array.dtype}: give numbers")
        kind = port.get_element_type().to_dtype()
        with np.errstate(over="ignore"):
            finite = np.isfinite(array.astype(kind) if np.dtype(kind).kind == array.dtype.kind == "f" else array).all()
        if not finite:
            raise ConfigurationError(
                f"sample {number}: {name} holds NaN, or numbers that are infinite or too large for {np.dtype(kind)}: clean the data first"
            )
        if not array.size:
            raise ConfigurationError(f"sample {number}: {name} is empty, of the shape {shape}")
        return np.ascontiguousarray(array, kind)

    def _image(self, path: Path) -> Any:
        import numpy as np

        try:
            from PIL import Image
        except ImportError:
            raise MissingExtra("pillow", "optimize") from None
        port = next(iter(self._ports.values()))
        shape = port.get_partial_shape()
        if shape.rank.is_dynamic or len(shape) != _RANK_OF_IMAGES:
            raise ConfigurationError(f"the model takes {shape}, which is no image: give arrays as .npz")
        last = not shape[3].is_dynamic and shape[3].get_length() in (1, 3)
        height, width, depth = (shape[place] for place in ((1, 2, 3) if last else (2, 3, 1)))
        if height.is_dynamic or width.is_dynamic:
            raise ConfigurationError(f"the model takes images of any size ({shape}): give arrays of the right one as .npz")
        try:
            image = Image.open(path).convert("L" if depth == 1 else "RGB").resize((width.get_length(), height.get_length()))
        except OSError as error:
            raise ConfigurationError(f"{path} is no image that can be read: {error}") from None
        pixels = np.asarray(image, np.float32).reshape(height.get_length(), width.get_length(), -1)
        pixels = self._scaled(pixels)
        return (pixels if last else pixels.transpose(2, 0, 1))[None]

    def _scaled(self, pixels: Any) -> Any:
        import numpy as np

        if self._pixels == "raw":
            return pixels
        if self._pixels == "signed":
            return pixels / 127.5 - 1
        unit = pixels / 255
        if self._pixels == "imagenet" and unit.shape[-1] == len(_MEAN):
            return (unit - np.array(_MEAN, np.float32)) / np.array(_DEVIATION, np.float32)
        return unit


def _matches(shape: list[int], wanted: Any) -> bool:
    if wanted.rank.is_dynamic:
        return True
    if len(shape) != len(wanted):
        return False
    return all(
        part.is_dynamic and part.get_min_length() <= size and (part.get_max_length() < 0 or size <= part.get_max_length())
        if part.is_dynamic
        else part.get_length() == size
        for size, part in zip(shape, wanted, strict=True)
    )
