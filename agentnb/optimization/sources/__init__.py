"""Reads any model: ONNX, OpenVINO IR, TensorFlow Lite, GGUF, a safetensors encoder, a PyTorch module."""

from __future__ import annotations

from agentnb.optimization.sources.reading import Source, open_source

__all__ = ["Source", "open_source"]
