"""Expressions: what they read, what they give, what they refuse, and what they may cost."""

from __future__ import annotations

import json
import string
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import cel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnb.workflows.expressions import ROOTS, Condition, ExpressionError, Reference, Scope, Template, patterns, reference_errors
from agentnb.workflows.expressions.parsing import compiled
from agentnb.workflows.expressions.syntax import PathNode

STEPS = {
    "a": {"status": "completed", "output": {"text": "héllo 😀", "score": 0.1, "items": [{"k": 1}, {"k": 2}]}},
    "skipped": {"status": "skipped", "output": None},
}
VALUES: dict[str, Any] = {
    "inputs": {
        "text": "héllo 😀",
        "n": 3,
        "f": 0.5,
        "list": [1, 2, 3],
        "people": [{"name": "Ann", "ok": True}, {"name": "Bob", "ok": False}],
        "map": {"b": 1, "a": 2},
        "nothing": None,
        "odd key": {"}": 1},
    },
    "run": {"id": "r1"},
    "env": {"HOME": "/home"},
}
SCOPE = Scope(STEPS, VALUES)


def value(expression: str, scope: Scope = SCOPE) -> Any:
    return Template("${" + expression + "}").resolve(scope)


def refusal(expression: str, scope: Scope = SCOPE) -> str:
    with pytest.raises(ExpressionError) as caught:
        value(expression, scope)
    return str(caught.value)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("inputs.text", "héllo 😀"),
        ("inputs.text.size()", 7),
        ("size(inputs.text + '😀')", 8),
        ("steps.a.output.score < 0.2", True),
        ("steps['a'].output.items[1].k", 2),
        ('inputs["odd key"]["}"]', 1),
        ("has(inputs.text) && !has(inputs.nope)", True),
        ("inputs.nope || true", True),
        ("steps.skipped.status == 'completed' ? steps.skipped.output.text : 'none'", "none"),
        ("inputs.people.filter(p, p.ok)[0].name", "Ann"),
        ("inputs.people.map(p, p.ok, p.name + '!')", ["Ann!"]),
        ("inputs.people.map(p, inputs.list.map(n, p.name + string(n)))", [["Ann1", "Ann2", "Ann3"], ["Bob1", "Bob2", "Bob3"]]),
        ("inputs.list.map(x, [x].map(x, x + 1))", [[2], [3], [4]]),
        ("[3, 1, 2].map(x, x * 2).sort()", [2, 4, 6]),
        ("(inputs.list + [4]).exists_one(x, x > 3)", True),
        ("inputs.list.all(x, x > 0) && inputs.list.exists(x, x == 2)", True),
        ("inputs.list.exists(x, x == 3 || 1 / (x - 1) > 0)", True),
        ("inputs.map.map(key, inputs.map[key])", [2, 1]),
        ("{'b': 1, 'a': inputs.n}", {"a": 3, "b": 1}),
        ("[timestamp('2020-01-01T00:00:00Z'), duration('90m'), duration('500ms')]", ["2020-01-01T00:00:00Z", "5400s", "0.5s"]),
        ("[[].first(), [7].first()]", [None, 7]),
        ("string(true) + string(null) + string(1.0) + string(inputs.list)", "truenull1[1, 2, 3]"),
        ("inputs.text.matches('^h.llo') ? math.greatest(inputs.list) : 0", 3),
        ("inputs.list.contains(2) && 2 in inputs.list", True),
        ("inputs.text.upperAscii().split(' ').join('-')", "HéLLO-😀"),
        ("[1, 1.0, true, 'a', 'a'].distinct()", [1, True, "a"]),
        ("double(inputs.n) + inputs.f", 3.5),
        ("inputs.n == 3.0 && type(inputs.n) == int", True),
        ("'}' + r'\\' + '''}'\"''' + \"}\" // }\n", "}\\}'\"}"),
    ],
)
def test_values(expression: str, expected: Any) -> None:
    found = value(expression)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("expression", "cause", "mend"),
    [
        ("inputs.nope", "inputs has no key 'nope': it has text, n", "has(inputs.nope)"),
        ("inputs.n + 0.5", "inputs.n is an int", "double(1) + 0.5"),
        ("inputs.n + inputs.f", "inputs.f is a double", "double(x)"),
        ("steps.skipped.output.text", "steps.skipped.output is null, because the step is skipped", "steps.skipped.status == 'completed'"),
        ("has(steps.skipped.output.text)", "because the step is skipped", "test it first"),
        ("steps.b.output", "steps.b isn't there", "no step has this ID"),
        ("inputs.list[3]", "no item 3: it has 3", "size(inputs.list)"),
        ("inputs.list[0 - 1]", "no item -1", "size(inputs.list)"),
        ("inputs.people.name", "is a list", "inputs.people.map(x, x.name)"),
        ("inputs.list[true]", "of the type bool", "indexes are int"),
        ("inputs.text.name", "of the type string", "read inputs.text itself"),
        ("inputs['nothing'].x", "is null", "test it first"),
        ("inputs.in", "word of CEL", '["in"]'),
        ("item.name", "item is not known here", "there are steps, inputs"),
        ("steps", "steps as a whole", "steps.ID.output"),
        ("steps[inputs.text].output", "steps[…]", "steps.ID.output"),
        ("env", "env as a whole", "env.NAME"),
        ("inputs.list.map(x, steps[x])", "steps[…]", "steps.ID.output"),
        ("inputs.list.map(item, item)", "can't be called item", "call it x"),
        ("inputs.list.map(steps, 1)", "can't be called steps", "call it x"),
        ("inputs.list.map(math, 1)", "can't be called math", "call it x"),
        ("inputs.list.map(__v0, 1)", "can't be called __v0", "call it x"),
        ("inputs.list.map(x)", "takes a name", "list.map(x, x.name)"),
        ("inputs.n.map(x, x)", "needs a list or a map", "not int"),
        ("inputs.list.filter(x, x)", "of the type int", "true or false"),
        ("inputs.list.all(x, 1 / 0 > x)", "division by zero", "1 / 0"),
        ("secret", "there is no secret", "text stands in quotes"),
        ("inputs.text.lower()", "no function lower", "did you mean lowerAscii"),
        ("inputs.text.replace(1, 2)", "replace()", "1"),
        ("inputs.text.matches('(')", "not a valid regex", "unclosed group"),
        ("inputs.text.matches('(?x) a { 9 }')", "flag x", "without blanks"),
        ("has(inputs)", "names no field", "has(inputs.name)"),
        ("1 +", "no valid CEL", "1:4"),
        ("inputs.list[0", "not closed", "["),
        ("inputs.n)", "closes nothing", "open it"),
        ("it's", "there is no it", "quotes"),
        ("'é' é", "no part of CEL", "quotes"),
        (".inputs.n", "can't begin with a dot", "write inputs"),
        ("  ", "is missing", "inputs.name"),
        ("b'x'", "bytes", "base64.encode"),
        ("1.0 / 0.0", "inf", "JSON"),
        ("{1: 2}", "the key 1", "string("),
    ],
)
def test_errors_give_expression_cause_and_mend(expression: str, cause: str, mend: str) -> None:
    message = refusal(expression)
    assert message.startswith("`" + " ".join(expression.split()))
    assert cause in message
    assert mend in message


def test_text_around_an_expression_makes_text() -> None:
    template = Template({"a": ["n=${inputs.n} m=${inputs.map} t=${inputs.text} $${x}", 1], "b": "${inputs.map}", "c": "$${c}"})
    assert template.resolve(SCOPE) == {
        "a": ['n=3 m={"b": 1, "a": 2} t=héllo 😀 ${x}', 1],
        "b": {"b": 1, "a": 2},
        "c": "${c}",
    }
    assert Template("${inputs.n}${true}${null}").resolve(SCOPE) == "3truenull"
    assert not template.constant


@pytest.mark.parametrize("text", ["${inputs.n", "x ${ {'a': 1} ", "${'}"])
def test_an_open_brace_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="no closing|no part of CEL"):
        Template(text)


def test_constants_stay_as_they_are() -> None:
    given_value = {"a": [1, None, "x"], "b": {"c": "$"}}
    template = Template(given_value)
    assert template.constant
    assert template.references == ()
    assert template.resolve(Scope({}, {})) is given_value
    assert Template(["$${a}"]).constant


@given(st.text(alphabet=st.sampled_from("${}'\"\\a😀 \n")))
def test_escaped_text_comes_back(text: str) -> None:
    escaped = text.replace("${", "$${")
    assert Template(escaped).resolve(SCOPE) == text
    quoted = json.dumps(text, ensure_ascii=False)
    assert value(quoted) == text


def test_references() -> None:
    template = Template(
        [
            "${steps.a.output.text + inputs.text}",
            {"x": "${inputs.people.map(p, steps['b'].output[p.name])}"},
            "${env.HOME}${run.id}${inputs}",
        ]
    )
    assert template.references == (
        Reference("steps", "a", ("output", "text")),
        Reference("inputs", "text"),
        Reference("inputs", "people"),
        Reference("steps", "b", ("output",)),
        Reference("env", "HOME"),
        Reference("run", "", ("id",)),
        Reference("inputs"),
    )
    assert Condition("has(steps.c.output.x) && size(item.list[0].k) > 1").references == (
        Reference("steps", "c", ("output", "x")),
        Reference("item", "", ("list",)),
    )
    assert sorted(template.references)[0].root == "env"
    assert Condition("'steps.a' == \"${inputs.x}\" // steps.z").references == ()


def test_references_outside_their_place_name_the_mend() -> None:
    references = Template("${item} ${attempts} ${inputs.n} ${item.x}").references
    errors = reference_errors(references, {"inputs", "steps", "run", "env"})
    assert len(errors) == 2
    assert "for_each" in errors[0]
    assert "state machine" in errors[1]
    assert reference_errors(references, ROOTS) == []


def test_only_named_steps_are_looked_up() -> None:
    class Lazy(Mapping[str, Any]):
        def __init__(self) -> None:
            self.asked: list[str] = []

        def __getitem__(self, key: str) -> Any:
            self.asked.append(key)
            return STEPS[key]

        def __iter__(self) -> Iterator[str]:
            raise AssertionError

        def __len__(self) -> int:
            raise AssertionError

    steps = Lazy()
    scope = Scope(steps, VALUES)
    assert value("steps.a.output.score < 1.0 && inputs.people.exists(p, steps.a.output.text != p.name)", scope)
    assert set(steps.asked) == {"a"}


def test_conditions() -> None:
    assert Condition("steps.a.status == 'completed'").test(SCOPE) is True
    with pytest.raises(ExpressionError, match=r"`inputs\.n`: it is of the type int, but a condition is true or false"):
        Condition("inputs.n").test(SCOPE)
    with pytest.raises(ExpressionError, match="without"):
        Condition("${inputs.n > 1}")


class Trap:
    def __getattribute__(self, name: str) -> Any:
        if name != "__class__":
            raise AssertionError(f"{name} was read")
        return object.__getattribute__(self, name)


@pytest.mark.parametrize(
    "expression",
    ["inputs.o", "inputs.o == 1", "inputs.l[0]", "inputs.l == [1]", "inputs.o.__class__", "inputs.l[0].x", "inputs.s == 1", "inputs.n > 1"],
)
def test_python_objects_are_out_of_reach(expression: str) -> None:
    scope = Scope({}, {"inputs": {"o": Trap(), "l": [Trap()], "s": {1}, "n": 2**63}})
    assert "Trap" in (message := refusal(expression, scope)) or "set" in message or "64 bits" in message


def test_dunder_names_are_keys() -> None:
    assert "no key '__class__'" in refusal("inputs.__class__")
    assert value("inputs.__class__", Scope({}, {"inputs": {"__class__": 1}})) == 1


_KEYS = st.sampled_from(["a", "b", "c", "size", "map", "for", "__class__", "x1"])
_DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=300)
@given(_DATA, st.lists(_KEYS | st.integers(0, 3), max_size=4), st.booleans())
def test_paths_are_as_in_cel(data: Any, keys: list[str | int], bracketed: bool) -> None:
    text = "inputs.v" + "".join(
        f'["{k}"]' if bracketed and isinstance(k, str) else f".{k}" if isinstance(k, str) else f"[{k}]" for k in keys
    )
    assert isinstance(compiled(text).node, PathNode)
    scope = {"inputs": {"v": data}}
    try:
        expected = cel.evaluate(text, scope)
    except (KeyError, IndexError, TypeError):
        refusal(text, Scope({}, scope))
    else:
        found = value(text, Scope({}, scope))
        assert found == expected
        assert type(found) is type(expected)


@settings(max_examples=100)
@given(
    st.lists(st.integers(-5, 5), max_size=6),
    st.sampled_from(["all", "exists", "exists_one", "filter", "map"]),
    st.sampled_from(["[0, x][1]", "x"]),
)
def test_loops_are_as_in_cel(numbers: list[int], loop: str, operand: str) -> None:
    body = f"10 / {operand} > 2" if loop != "map" else f"{operand} * 2 + size(l)"
    ours, scope = f"inputs.l.{loop}(x, {body.replace('(l)', '(inputs.l)')})", Scope({}, {"inputs": {"l": numbers}})
    try:
        expected = cel.evaluate(f"l.{loop}(x, {body})", {"l": numbers})
    except ZeroDivisionError:
        if loop not in ("all", "exists"):
            refusal(ours, scope)
    else:
        assert value(ours, scope) == expected


@settings(max_examples=200)
@given(
    st.text(alphabet=string.printable + "é😀", max_size=40)
    | st.lists(
        st.sampled_from(
            [
                "inputs",
                ".",
                "n",
                "(",
                ")",
                "[",
                "]",
                "{",
                "}",
                "+",
                "1",
                "'a'",
                "x",
                "map",
                ",",
                "?",
                ":",
                "==",
                "has",
                "size",
                "steps",
                "a",
                "&&",
                "!",
                "-",
            ]
        ),
        max_size=14,
    ).map(" ".join)
)
def test_no_text_breaks_it(text: str) -> None:
    try:
        Condition(text).test(SCOPE)
    except ExpressionError:
        return


_LARGE = Scope(
    {},
    {
        "inputs": {
            "l": list(range(20_000)),
            "k": list(range(1_000)),
            "s": "x" * 1_000_000,
            "one": [1],
            "words": ["abc def"] * 50_000,
            "d": {f"k{number}": number for number in range(10_000)},
        }
    },
)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "expression",
    [
        "inputs.l.map(x, inputs.l.map(y, x))",
        "inputs.k.all(x, inputs.k.all(y, inputs.k.all(z, x + y + z >= 0)))",
        "inputs.k.all(x, inputs.k.all(y, inputs.k.all(z, z.foo)))",
        "inputs.l.map(x, inputs.d)",
        "inputs.l.filter(x, x in inputs.l)",
        "inputs.k.map(x, inputs.s + inputs.s)",
        "+".join(["inputs.s"] * 200),
        " == ".join(["inputs.l"] * 240),
        "[" + ",".join(["inputs.l"] * 240) + "]",
        "[inputs.s]" + ".map(a, a + a)" * 40,
        "[inputs.one]" + ".map(a, [a, a])" * 40,
        "[inputs.one]" + ".map(a, {'x': a, 'y': a})" * 40,
        "inputs.k" + ".map(a, inputs.k)" * 6 + ".map(a, a.map(b, inputs.k.map(c, c)))",
        "lists.range(100000000)",
        "inputs.s.replace('x', inputs.s)",
        "inputs.s.split('').map(c, inputs.s.split(''))",
        "inputs.words.map(w, w.split(' ').join(inputs.s))",
        r"inputs.s.matches('(?:\\w{1,20}){1,5}!')",
        r"inputs.words.all(w, w.matches('(\\pL{10}){10}') || true)",
        "inputs.l.exists(x, lists.range(x).exists(y, y < 0)) || true",
    ],
)
def test_what_costs_too_much_is_refused(expression: str) -> None:
    assert "too much work" in refusal(expression, _LARGE)


def test_large_lists_are_no_trouble() -> None:
    assert value("inputs.l.filter(x, x % 2 == 0).map(x, x + 1).size()", _LARGE) == 10_000
    assert value("inputs.d.filter(k, inputs.d[k] > 9_998)".replace("_", ""), _LARGE) == ["k9999"]
    assert value("inputs.s.size() + inputs.l.size()", _LARGE) == 1_020_000


@pytest.mark.parametrize(
    ("expression", "limit"),
    [
        ("1" + " + 1" * 3_000, "characters"),
        ("1" + "+1" * 301, "operators"),
        ("(" * 25 + "1" + ")" * 25, "nested more than 24 deep"),
        ("[" * 25 + "]" * 25, "nested more than 24 deep"),
        ("true ? 1 : " * 25 + "1", "more than 24 of ?:"),
        ("inputs" + ".a" * 600, "more than 500"),
        ("inputs.l" + ".map(x, x)" * 600, "more than 500"),
        ("[1]" + ".map(x, x)" * 600, "more than 500"),
        ("[1].map(a, [1].map(b, [1].map(c, [1].map(d, d))))", "loops are nested more than 3 deep"),
    ],
)
def test_limits_on_the_text(expression: str, limit: str) -> None:
    assert limit in refusal(expression)


def test_the_largest_expressions_fit_a_small_stack() -> None:
    largest = [
        "(" * 23 + "1" + ")" * 23,
        "size(" * 20 + "'a'" + ")" * 20,
        "1" + "+1" * 300,
        "- " * 299 + "1",
        "[1]" + "[0]" * 290,
        "inputs.l" + ".map(x, x)" * 160,
        "[1]" + ".map(x, x)" * 160,
        "size(inputs.l[" * 11 + "0" + "] + 0)" * 11,
        "inputs.l.map(a, [a].map(b, [b].map(c, " + "(" * 18 + "c" + ")" * 18 + ")))",
    ]
    scope = Scope({}, {"inputs": {"l": [0, 1]}})
    done: list[str] = []

    def work() -> None:
        for text in largest:
            with suppress(ExpressionError):
                value(text, scope)
            done.append(text)

    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=work)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert done == largest


def test_the_cost_of_patterns_grows_with_repetitions() -> None:
    assert patterns.weight(r"\w{10}") < patterns.weight(r"(\w{10}){10}") < patterns.weight(r"((\w{10}){1,10}){10,}")
    assert patterns.weight("a{1000}") > 100 * patterns.weight("a{3}")
    assert patterns.weight(r"(\pL{10}){10}") > 50 * patterns.weight(r"\pL")


def test_evaluations_in_threads_stay_apart() -> None:
    template = Template("${inputs.list.map(x, x + inputs.n)}")
    found: dict[int, Any] = {}

    def work(number: int) -> None:
        for _ in range(50):
            found[number] = template.resolve(Scope({}, {"inputs": {"list": [1, 2], "n": number}}))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [1 + number, 2 + number] for number in range(4)}
