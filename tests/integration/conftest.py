from __future__ import annotations

import pytest

from agentnb.adapters.openvino import OpenVINOProvider


@pytest.fixture(scope="session")
def local_model() -> str:
    """Name of the small local model, fetched once into AGENTNB_CACHE or the user's cache."""
    return OpenVINOProvider().pull("smollm2-135m", lambda task, done, total: None).name
