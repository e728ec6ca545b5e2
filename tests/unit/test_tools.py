import asyncio
import re
import time
from typing import Literal

import cloudpickle
import pytest
from pydantic import BaseModel

from agentnb.agents.tools import Context, Tool, ToolError, as_text, as_tool, tool
from agentnb.errors import ConfigurationError


class Place(BaseModel):
    city: str
    country: str = "France"


@tool(effects="none", timeout=5)
def lookup(place: Place, unit: Literal["C", "F"] = "C", json: int | None = None, *, context: Context[dict[str, str]]) -> str:
    """Look up the weather.

    Args:
        place: Where.
        unit: Scale.
    """
    return f"{place.city} {place.country} {unit} {context.deps['a']} {context.idempotency_key}"


def context(**deps: str) -> Context[dict[str, str]]:
    return Context(deps, "run", "agent", "AGENT-1", "", "me", "m1.t1")


def test_schema_comes_from_signature_and_docstring() -> None:
    spec = lookup.spec
    assert (spec.name, spec.description) == ("lookup", "Look up the weather.")
    assert spec.parameters["required"] == ["place"]
    assert set(spec.parameters["properties"]) == {"place", "unit", "json"}
    assert spec.parameters["properties"]["unit"] == {"default": "C", "description": "Scale.", "enum": ["C", "F"], "type": "string"}
    assert spec.parameters["additionalProperties"] is False


async def test_call_gets_values_and_context() -> None:
    arguments = lookup.parse('{"place": {"city": "Paris"}, "unit": "F"}')
    assert isinstance(arguments["place"], Place)
    assert await lookup.call(arguments, context(a="b")) == "Paris France F b run:m1.t1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("{", "not JSON"),
        ("[]", "valid dictionary"),
        ("{}", "place: Field required"),
        ('{"place": {"city": 3}}', "place.city: Input should be a valid string"),
        ('{"place": {"city": "x"}, "unit": "K"}', "unit: Input should be 'C' or 'F'"),
        ('{"place": {"city": "x"}, "more": 1}', "more: Extra inputs"),
    ],
)
def test_bad_arguments_say_which_and_why(arguments: str, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        lookup.parse(arguments)


def test_a_tool_is_still_a_function() -> None:
    @tool
    def double(x: int) -> int:
        return 2 * x

    assert double(4) == 8
    assert as_tool(double) is double
    assert (double.name, double.effects, double.idempotent) == ("double", "write", False)


def test_plain_functions_become_tools() -> None:
    def plain(x: int) -> int:
        """Say x."""
        return x

    assert as_tool(plain).spec.description == "Say x."


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tool(lambda x: x), "tool name '<lambda>'"),
        (lambda: Tool(exec("def f(x): ...", space := {}) or space["f"]), "'x' has no type annotation"),  # type: ignore[func-returns-value]
        (lambda: Tool(exec("def f(*x: int): ...", space := {}) or space["f"]), r"\*x: int"),  # type: ignore[func-returns-value]
        (lambda: as_tool(3), "3 is no tool"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_a_tool_says_why(make: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()  # type: ignore[operator]


async def test_synchronous_tools_run_side_by_side() -> None:
    @tool
    def wait() -> str:
        time.sleep(0.2)
        return "done"

    started = time.perf_counter()
    assert await asyncio.gather(*(wait.call({}, context()) for _ in range(4))) == ["done"] * 4
    assert time.perf_counter() - started < 0.7


async def test_time_out_names_the_tool_and_tells_it() -> None:
    seen = []

    @tool(timeout=0.05)
    def slow(*, context: Context[None]) -> str:
        while not context.cancelled:
            time.sleep(0.005)
        seen.append("stopped")
        return "late"

    with pytest.raises(ToolError, match=r"slow timed out after 0.05 s"):
        await slow.call({}, context())
    for _ in range(100):
        if seen:
            break
        await asyncio.sleep(0.01)
    assert seen == ["stopped"]


def test_secrets_are_masked_once_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from agentnb.secrets import redact

    monkeypatch.setenv("DATABASE_URL", "postgres://user:hunter22@host")
    assert context().secret("DATABASE_URL") == "postgres://user:hunter22@host"
    assert redact("url is postgres://user:hunter22@host") == "url is [secret]"
    with pytest.raises(ConfigurationError, match="NOPE"):
        context().secret("NOPE")


def test_results_as_text() -> None:
    assert as_text("x") == "x"
    assert as_text({"a": [1, None]}) == '{"a":[1,null]}'
    assert as_text(Place(city="Rome")) == '{"city":"Rome","country":"France"}'
    assert as_text(None) == "null"
    with pytest.raises(ToolError, match="3 bytes of binary"):
        as_text(b"abc")


def test_pickle_keeps_settings() -> None:
    again = cloudpickle.loads(cloudpickle.dumps(tool(approval=True, name="other")(lambda: "x")))
    assert (again.name, again.approval, again()) == ("other", True, "x")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"effects": "non"}, "tool f: effects='non', did you mean 'none'? There are: none, read, write"),
        ({"effects": "?"}, "tool f: effects='?'. There are: none, read, write"),
        ({"timeout": "soon"}, "tool f: timeout='soon': must be a number of seconds above 0, or None"),
        ({"timeout": 0}, "tool f: timeout=0: must be a number of seconds above 0, or None"),
        ({"approval": "yes"}, "tool f: approval='yes': must be True or False"),
        ({"efects": "none"}, "@tool: unknown setting 'efects', did you mean 'effects'? There are: approval"),
    ],
)
def test_a_setting_is_checked_where_the_tool_is_made(settings: dict[str, object], message: str) -> None:
    def f() -> None: ...

    with pytest.raises(ConfigurationError, match=re.escape(message)):
        tool(**settings)(f)  # type: ignore[call-overload]
