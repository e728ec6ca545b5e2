from pathlib import Path

import pytest

from agentnb import config
from agentnb.errors import ConfigurationError


def test_order_of_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "agentnb.toml").write_text('model = "scripted:file"\ntimeout = 10\nmax_steps = 3\n')
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.setenv("AGENTNB_TIMEOUT", "20")
    settings = config.load(deep, max_steps=4)
    assert (settings.model, settings.timeout, settings.max_steps) == ("scripted:file", 20.0, 4)
    assert settings.file == tmp_path / "agentnb.toml"


def test_store_lies_beside_the_nearest_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTNB_STORE")
    (tmp_path / "agentnb.toml").write_text("")
    assert config.load(tmp_path).store == tmp_path / ".agentnb"


def test_store_without_a_file_is_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTNB_STORE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert config.load(tmp_path).store == tmp_path / "data" / "agentnb"


def test_environment_wins_over_the_file_for_the_store(tmp_path: Path, own_store: Path) -> None:
    (tmp_path / "agentnb.toml").write_text('store = "here"')
    assert config.load(tmp_path).store == own_store


def test_profile_gives_defaults_that_the_file_overrides(tmp_path: Path) -> None:
    (tmp_path / "agentnb.toml").write_text('profile = "production"')
    assert config.load(tmp_path).synchronous == "full"
    (tmp_path / "agentnb.toml").write_text('profile = "production"\nsynchronous = "normal"')
    assert config.load(tmp_path).synchronous == "normal"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tiemout = 3", "unknown key 'tiemout'"),
        ("timeout = -1", "timeout must be a number above 0"),
        ("timeout = nan", "timeout must be a number above 0"),
        ("timeout = true", "timeout must be a number above 0"),
        ("max_steps = inf", "max_steps must be a whole number above 0"),
        ("max_steps = 2.9", "max_steps must be a whole number above 0"),
        ("model = [1]", "model must be text"),
        ("models = 3", "models must be a table"),
        ("[models]\nopenai = 3", "models.openai must be a table"),
        ('timeout = "soon"', "timeout must be a number above 0"),
        ('profile = "huge"', "profile must be one of"),
        ('synchronous = "off"', "synchronous must be one of normal, full"),
        ("policy = 3", "policy must be a table"),
        ("model = ", "agentnb.toml"),
        ('[models.openai]\napi_key = "sk-1"', "set OPENAI_API_KEY in the environment"),
    ],
)
def test_a_wrong_file_names_the_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "agentnb.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        config.load(tmp_path)
    assert "agentnb.toml" in str(caught.value)


def test_a_wrong_variable_names_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTNB_MAX_STEPS", "many")
    with pytest.raises(ConfigurationError, match="AGENTNB_MAX_STEPS"):
        config.load(tmp_path)
