"""Models that the providers know of: listed, and fetched onto the server's machine."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from agentnb.errors import UnknownModel
from agentnb.ports.model import ModelInfo
from agentnb.server.routing import Call, Data, Reply, Request


class PullData(Data):
    """How far the fetching of a model is.

    Attributes:
        task: What is being done.
        done: Bytes so far, of ``total``; 0 of 0 where that is unknown.
        problem: Why it failed, with the mend.
    """

    model: str
    status: Literal["running", "completed", "failed", "cancelled"]
    task: str
    done: int
    total: int
    problem: str


class ModelData(Data):
    """A model.

    Attributes:
        size: In bytes.
        default: Whether it is the one of agents that name none.
        pull: How far it is, where this server fetches it or has tried to.
    """

    name: str
    description: str
    licence: str
    path: str
    size: int
    installed: bool
    default: bool
    details: dict[str, Any]
    pull: PullData | None = None


class Models(Data):
    """The models that the providers know of, without any network."""

    models: list[ModelData]


class NewPull(Request):
    """Which model is to be fetched, or no longer.

    Attributes:
        model: ``provider:model``, as it is listed; a name without a provider is one of ``openvino``.
    """

    model: str = Field(min_length=1, max_length=500)


def list_(call: Call) -> Models:
    """List models: here, and to be fetched."""
    return Models(models=[_data(call, info) for info in call.runtime.models.catalog()])


def pull(call: Call, body: NewPull) -> Reply[PullData]:
    """Fetch a model onto the server's machine; the list of models says how far that is."""
    name = _full(body.model)
    found = next((info for info in call.runtime.models.catalog() if info.name == name), None)
    if found is None:
        raise UnknownModel(f"no provider lists {name!r}: GET /models shows those that are known")
    return Reply(PullData.model_validate(call.service.pulls.start(found)), location="/models")


def cancel(call: Call, body: NewPull) -> PullData:
    """Stop fetching a model; nothing of it is kept. One that was fetched stays."""
    found = call.service.pulls.cancel(_full(body.model))
    if found is None:
        raise UnknownModel(f"{body.model!r} is not being fetched: GET /models shows what is")
    return PullData.model_validate(found)


def _full(name: str) -> str:
    return name if ":" in name else f"openvino:{name}"


def _data(call: Call, info: ModelInfo) -> ModelData:
    names = ("name", "description", "licence", "path", "size", "installed")
    pull = call.service.pulls.get(info.name)
    return ModelData(
        **{name: getattr(info, name) for name in names},
        details=dict(info.details),
        default=info.name == call.runtime.settings.model,
        pull=PullData.model_validate(pull) if pull else None,
    )
