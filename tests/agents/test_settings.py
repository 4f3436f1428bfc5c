import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from agents.generation.model import ModelSettings
from agents.ppo.config import PPOConfig
from agents.settings import add_options, docstrings, from_options
from agents.sft import SFTConfig
from agents.train import PRESETS
from codefeedback_env import ConfigError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """For these tests."""

    out: Path
    """Where to, 100% of it."""

    num_steps: int = 3
    """How
    many."""

    rate: float = 0.5
    name: str = "a"
    """``name`` of it."""

    limit: int | None = None
    """Default: none."""

    is_fast: bool = False
    """Hurry."""

    is_checked: bool = True
    """Look twice."""

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise ConfigError(f"num_steps={self.num_steps} must be at least 1.")


FEW = {"few": {"num_steps": 1, "name": "b", "is_fast": True}}


def parsed(*arguments: str, presets: Any = None) -> Settings:
    parser = argparse.ArgumentParser()
    add_options(parser, Settings, presets)
    return from_options(parser.parse_args(arguments), Settings, presets)


def test_what_is_not_given_keeps_the_fields_default() -> None:
    assert parsed("--out", "x") == Settings(out=Path("x"))


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        (["--num-steps", "7"], {"num_steps": 7}),
        (["--rate", "1e-3"], {"rate": 0.001}),
        (["--name", "other"], {"name": "other"}),
        (["--limit", "0"], {"limit": 0}),
        (["--is-fast"], {"is_fast": True}),
        (["--no-is-fast"], {"is_fast": False}),
        (["--no-is-checked"], {"is_checked": False}),
    ],
)
def test_an_option_sets_its_field_in_the_fields_type(
    arguments: list[str], changed: dict[str, Any]
) -> None:
    settings = parsed("--out", "x", *arguments)
    assert settings == Settings(out=Path("x"), **changed)
    assert type(settings.rate) is float


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--out"),
        (["--out", "x", "--num-steps", "2.5"], "--num-steps: invalid int value: '2.5'"),
        (["--out", "x", "--stepps", "2"], "unrecognized arguments: --stepps 2"),
    ],
)
def test_what_cannot_be_parsed_ends_with_the_option_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        parsed(*arguments)
    assert exit_info.value.code == 2
    assert message in capsys.readouterr().err


def test_checks_of_the_settings_reach_the_caller() -> None:
    with pytest.raises(ConfigError, match="num_steps=0 must be at least 1"):
        parsed("--out", "x", "--num-steps", "0")


def test_help_is_the_text_under_each_field_with_its_default() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, Settings)
    text = " ".join(parser.format_help().split())
    assert "--out PATH Where to, 100% of it." in text
    assert "--num-steps N How many. [3]" in text
    assert "--rate X [0.5]" in text
    assert "--name NAME name of it. [a]" in text
    assert "--limit N Default: none. --is-fast" in text
    assert "--is-fast, --no-is-fast Hurry. [False]" in text


def test_a_preset_changes_defaults_and_given_options_count_more() -> None:
    settings = parsed("--out", "x", "--preset", "few", presets=FEW)
    assert settings == Settings(out=Path("x"), num_steps=1, name="b", is_fast=True)
    arguments = ["--out", "x", "--preset", "few", "--num-steps", "9", "--no-is-fast"]
    settings = parsed(*arguments, presets=FEW)
    assert (settings.num_steps, settings.name, settings.is_fast) == (9, "b", False)


def test_an_unknown_preset_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--out", "x", "--preset", "fw", presets=FEW)
    assert "'fw'" in capsys.readouterr().err


def test_nothing_is_required_of_options_that_are_for_one_case_only() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser.add_argument_group("a case"), Settings, are_required=False)
    assert parser.parse_args([]).out is None


@pytest.mark.parametrize("settings", [PPOConfig, SFTConfig, ModelSettings])
def test_every_setting_of_the_agents_has_an_option_with_help(settings: type[Any]) -> None:
    texts = docstrings(settings)
    assert all(texts.get(field.name, "").strip() for field in fields(settings))
    parser = argparse.ArgumentParser()
    add_options(parser, settings)
    known = {action.dest for action in parser._actions}
    assert known >= {field.name for field in fields(settings)}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_settings(name: str) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, PPOConfig, PRESETS)
    options = parser.parse_args(["--model", "m", "--out", "o", "--preset", name])
    config = from_options(options, PPOConfig, PRESETS)
    assert {key: getattr(config, key) for key in PRESETS[name]} == PRESETS[name]
