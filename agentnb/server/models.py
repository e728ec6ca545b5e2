"""Models that the providers know of."""

from __future__ import annotations

from typing import Any

from agentnb.server.routing import Call, Data


class ModelData(Data):
    """A model; ``size`` in bytes, ``default`` for the one of agents that name none."""

    name: str
    description: str
    licence: str
    path: str
    size: int
    installed: bool
    default: bool
    details: dict[str, Any]


class Models(Data):
    """The models that the providers know of, without any network."""

    models: list[ModelData]


def list_(call: Call) -> Models:
    """List models: here, and to be fetched."""
    names = ("name", "description", "licence", "path", "size", "installed")
    default = call.runtime.settings.model
    return Models(
        models=[
            ModelData(**{name: getattr(info, name) for name in names}, details=dict(info.details), default=info.name == default)
            for info in call.runtime.models.catalog()
        ]
    )
