"""Where an app's configuration can come from."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import tomllib

from syncio.web import Config

NAME = "VALUE"
"""Something in capitals, which is taken."""
lower = "small"


class Base:
    """A class as configuration."""

    A = 1
    B = 1
    small = 1


class Production(Base):
    """One that inherits."""

    B = 2

    @property
    def C(self) -> int:
        """A value that is made when it is asked for."""
        return 3


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """An empty one."""
    return Config(tmp_path)


@pytest.mark.parametrize("source", [__name__, sys.modules[__name__]])
def test_from_a_module(config: Config, source: Any) -> None:
    """All names in capitals are taken, and no others, of a module or its name."""
    config.from_object(source)
    assert config == {"NAME": NAME}


@pytest.mark.parametrize("source", [f"{__name__}.Production", Production])
def test_from_a_class(config: Config, source: Any) -> None:
    """Attributes that are inherited are taken too."""
    config.from_object(source)
    assert {name: config[name] for name in "AB"} == {"A": 1, "B": 2}
    assert "small" not in config


def test_from_an_object(config: Config) -> None:
    """Properties are asked, of an object."""
    config.from_object(Production())
    assert config == {"A": 1, "B": 2, "C": 3}


@pytest.mark.parametrize(
    ("name", "error"), [("no_such_module", ImportError), (f"{__name__}.Missing", AttributeError), ("", ValueError)]
)
def test_from_a_wrong_name(config: Config, name: str, error: type[Exception]) -> None:
    """What is not there is an error, and not an empty configuration."""
    with pytest.raises(error):
        config.from_object(name)


def test_from_a_mapping(config: Config) -> None:
    """Mappings and names, those in capitals."""
    assert config.from_mapping({"A": 1, "B": 1, "c": 1}, B=2, d=2)
    assert config == {"A": 1, "B": 2}
    assert config.from_mapping()


def test_from_a_file(config: Config, tmp_path: Path) -> None:
    """Text or bytes, from beside the app; whatever reads them."""
    (tmp_path / "config.json").write_text(json.dumps({"A": 1, "b": 2}))
    (tmp_path / "config.toml").write_text('B = "x"')
    assert config.from_file("config.json", json.load)
    assert config.from_file(tmp_path / "config.toml", tomllib.load, text=False)
    assert config == {"A": 1, "B": "x"}


def test_from_a_file_that_is_missing(config: Config, tmp_path: Path) -> None:
    """It is an error, unless that is allowed; one that cannot be read as what it should be always is."""
    with pytest.raises(FileNotFoundError):
        config.from_file("missing.json", json.load)
    assert not config.from_file("missing.json", json.load, silent=True)
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ValueError):
        config.from_file("bad.json", json.load, silent=True)


def test_from_the_environment(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables with a prefix; JSON if they are that, and else text; two underscores go into a dict."""
    values = {"A": "1", "B": "true", "C": "text", "D__X": "[1]", "D__Y__Z": '{"a": null}', "E": '"quoted"'}
    for name, value in values.items():
        monkeypatch.setenv(f"SYNCIO_{name}", value)
    monkeypatch.setenv("SYNCIOX", "1")
    monkeypatch.setenv("OTHER_A", "2")
    config["D"] = {"W": 0, "X": 0}
    config.from_prefixed_env()
    assert config == {"A": 1, "B": True, "C": "text", "D": {"W": 0, "X": [1], "Y": {"Z": {"a": None}}}, "E": "quoted"}
    config.from_prefixed_env("OTHER", loads=lambda text: text + "!")
    assert config["A"] == "2!"


def test_the_environment_of_one_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes into a dict that is a default goes into this configuration's only."""
    defaults: dict[str, Any] = {"OPTIONS": {}}
    monkeypatch.setenv("SYNCIO_OPTIONS__A", "1")
    first = Config(".", defaults)
    first.from_prefixed_env()
    assert (first["OPTIONS"], Config(".", defaults)["OPTIONS"], defaults) == ({"A": 1}, {}, {"OPTIONS": {}})


def test_namespaces(config: Config) -> None:
    """Values with a prefix, by names that one can pass on."""
    config.update(MAIL_HOST="h", MAIL_PORT=1, MAILER="no")
    assert config.get_namespace("MAIL_") == {"host": "h", "port": 1}
    assert config.get_namespace("MAIL_", lowercase=False) == {"HOST": "h", "PORT": 1}
    assert config.get_namespace("MAIL_", trim_namespace=False) == {"mail_host": "h", "mail_port": 1}


def test_repr(config: Config) -> None:
    """It says how many there are, and none of them."""
    config["SECRET"] = "hunter2"
    assert repr(config) == "<Config of 1 values>"


def test_a_name_within_a_package(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error inside of a module that is there is that error, and not 'no such module'."""
    module = ModuleType("settings_of_a_test")
    module.Deep = type("Deep", (), {"Inner": Base})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "settings_of_a_test", module)
    config.from_object("settings_of_a_test.Deep.Inner")
    assert config["A"] == 1
