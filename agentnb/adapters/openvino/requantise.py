"""Rewrites a GGUF file whose tensors OpenVINO can't read (K-quants, Q5, IQ …): those become Q8_0, the next finer format that it can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentnb.errors import ConfigurationError, MissingExtra

READABLE = ("F32", "F16", "Q4_0", "Q4_1", "Q8_0")
_BLOCK = 32


def rewritten(file: Path, target: Path) -> int:
    """Write the file anew with tensors that OpenVINO reads, and say how many were changed; all else stays as it is.

    Raises:
        ConfigurationError: The file is damaged, or a tensor is in a format that can't be read.
        MissingExtra: The package gguf is not installed.
    """
    try:
        import gguf
    except ImportError:
        raise MissingExtra("gguf") from None
    try:
        reader = gguf.GGUFReader(file)
        writer = gguf.GGUFWriter(target, _architecture(reader), use_temp_file=True)
        _copy_facts(gguf, reader, writer)
        changed = sum(_add(gguf, writer, tensor) for tensor in reader.tensors)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    except (ValueError, KeyError, IndexError, NotImplementedError, OverflowError) as error:
        raise ConfigurationError(f"{file} can't be rewritten for OpenVINO ({error}): it is perhaps damaged, so fetch it again") from None
    return changed


def _architecture(reader: Any) -> str:
    return str(reader.fields["general.architecture"].contents())


def _copy_facts(gguf: Any, reader: Any, writer: Any) -> None:
    for field in reader.fields.values():
        if field.name == "general.architecture" or field.name.startswith("GGUF."):
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)


def _add(gguf: Any, writer: Any, tensor: Any) -> bool:
    """Add one tensor, converted where that is needed; formats are those of ggml."""
    if tensor.tensor_type.name in READABLE:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        return False
    values = gguf.dequantize(tensor.data, tensor.tensor_type)
    kind = gguf.GGMLQuantizationType.F16 if values.shape[-1] % _BLOCK else gguf.GGMLQuantizationType.Q8_0
    writer.add_tensor(tensor.name, gguf.quantize(values, kind), raw_dtype=kind)
    return True
