"""Local language models on OpenVINO GenAI: in this process, without any network."""

from agentnb.adapters.openvino.provider import OpenVINOModel, OpenVINOProvider

__all__ = ["OpenVINOModel", "OpenVINOProvider"]
