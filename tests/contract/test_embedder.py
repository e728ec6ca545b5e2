"""What every embedder must do, whatever is behind it."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from collections.abc import Iterator

import pytest

import agentnb as anb
from agentnb.adapters.openai import OpenAIProvider
from agentnb.adapters.openvino import OpenVINOProvider
from agentnb.adapters.openvino.embedder import tokenizer as tokenizer_of
from agentnb.errors import ConfigurationError, PolicyDenied, UnknownModel
from agentnb.ports.model import Embedder
from tests.support.openai_server import OpenAIServer


@pytest.fixture(params=["openvino", "openai"])
def embedder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedder]:
    if request.param == "openvino":
        yield OpenVINOProvider().embedder("minilm")
        return
    monkeypatch.setenv("OPENAI_API_KEY", "contract-test-key")
    with OpenAIServer().running() as server:
        yield OpenAIProvider().embedder("m", base_url=server.base_url)


async def test_one_vector_a_text_in_order(embedder: Embedder) -> None:
    texts = [f"{'long ' * (number % 7 * 10)}text number {number}" for number in range(70)]
    together = await embedder.embed(texts)
    assert len(together) == len(texts)
    assert len({len(vector) for vector in together}) == 1


async def test_a_text_has_the_same_vector_among_others() -> None:
    embedder = OpenVINOProvider().embedder("minilm")
    texts = [f"{'long ' * (number % 7 * 10)}text number {number}" for number in range(70)]
    together = await embedder.embed(texts)
    for number in (0, 33, 69):
        [alone] = await embedder.embed([texts[number]])
        assert alone == pytest.approx(together[number], abs=2e-2)


async def test_nothing_gives_nothing(embedder: Embedder) -> None:
    assert await embedder.embed([]) == []


async def test_odd_texts(embedder: Embedder) -> None:
    vectors = await embedder.embed(["", " ", "\x00\ud800", "東京 😀", "word " * 5000])
    assert all(math.isfinite(number) for vector in vectors for number in vector)


def test_several_loops_at_once(embedder: Embedder) -> None:
    for _ in range(2):
        assert len(asyncio.run(embedder.embed(["a"]))) == 1


async def test_cancelling_ends_it(embedder: Embedder) -> None:
    task = asyncio.ensure_future(embedder.embed(["text"] * 2000))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(await embedder.embed(["after"])) == 1


async def test_near_in_meaning_is_near() -> None:
    food, eats, stocks = await anb.embed(["A man is eating food.", "A man eats something.", "The stock market fell."])

    def cosine(first: list[float], second: list[float]) -> float:
        return sum(a * b for a, b in zip(first, second, strict=True))

    assert cosine(food, food) == pytest.approx(1.0, abs=1e-5)
    assert cosine(food, eats) > 0.8 > 0.3 > cosine(food, stocks)


async def test_what_cannot_be_embedded_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="a list of texts"):
        await anb.embed("one text")
    with pytest.raises(ConfigurationError, match=r"texts\[1\] must be text, not int"):
        await anb.embed(["a", 5])  # type: ignore[list-item]
    with pytest.raises(UnknownModel, match="openvino:minilm"):
        await anb.embed(["a"], model="openvino:other")
    with pytest.raises(PolicyDenied):
        await anb.embed(["x" * 11_000_000])


def test_it_is_no_language_model() -> None:
    with pytest.raises(ConfigurationError, match="doesn't write"):
        OpenVINOProvider().model("minilm")


def test_words_are_cut_as_the_original_cuts_them() -> None:
    """The numbers are those of the tokenizer that was trained with the model."""
    import openvino

    tokenizer = openvino.compile_model(tokenizer_of(16), "CPU")
    found = tokenizer(["Hello, Zürich! unaffable 東京 [MASK]\n a\tb", "[sep] [CLS]x", "x " * 400])
    rows = next(value for output, value in found.items() if output.get_any_name() == "input_ids").tolist()
    assert rows[0][:14] == [101, 7592, 1010, 10204, 999, 14477, 20961, 3468, 1879, 1755, 103, 1037, 1038, 102]
    assert rows[1][:7] == [101, 1031, 19802, 1033, 101, 1060, 102]
    assert rows[2] == [101, *[1060] * 14, 102]


def test_neither_torch_nor_transformers_is_needed() -> None:
    heavy = "{'torch', 'transformers', 'openvino_genai'}"
    code = f"import asyncio, sys, agentnb; asyncio.run(agentnb.embed(['a'])); print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
