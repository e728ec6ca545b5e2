"""Small GGUF files, cut out of the local model."""

from __future__ import annotations

from pathlib import Path

import gguf


def one_layer(source: Path, target: Path, kind: str) -> Path:
    """The model with its first layer only, the layer's matrices in a format such as ``Q5_0``."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "llama")
    for field in reader.fields.values():
        if field.name == "general.architecture" or field.name.startswith("GGUF."):
            continue
        value = 1 if field.name == "llama.block_count" else field.contents()
        array = field.types[0] == gguf.GGUFValueType.ARRAY
        writer.add_key_value(field.name, value, field.types[0], sub_type=field.types[-1] if array else None)
    wanted = gguf.GGMLQuantizationType[kind]
    for tensor in reader.tensors:
        if tensor.name.startswith("blk.") and not tensor.name.startswith("blk.0."):
            continue
        if tensor.name.startswith("blk.0.") and len(tensor.shape) == 2:
            values = gguf.dequantize(tensor.data, tensor.tensor_type)
            writer.add_tensor(tensor.name, gguf.quantize(values, wanted), raw_dtype=wanted)
        else:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target
