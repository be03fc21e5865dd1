"""The chat speaks the locale's language, or the one that was asked for."""

import re
import string
from dataclasses import fields

import click
import pytest
from click.testing import CliRunner

from yiku.cli.chat.words import EN, LOCALE_VARIABLES, ZH, Words, language_of, language_option

PLAIN = {"help", "no_object"}  # shown as they are, braces too
TEXTS = [one.name for one in fields(Words) if one.name != "language"]
FORMATS = [name for name in TEXTS if name not in PLAIN]


@click.command()
@language_option
def spoken(lang: str) -> None:
    click.echo(lang)


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for name in LOCALE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return CliRunner()


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("zh_CN.UTF-8", "zh"),
        ("zh_TW", "zh"),
        ("Chinese (Simplified)_China", "zh"),
        ("en_GB.UTF-8", "en"),
        ("C.UTF-8", "en"),
        ("fr_FR", "en"),
    ],
)
def test_a_locale_has_a_language(name: str, language: str) -> None:
    assert language_of(name) == language


def test_the_locale_decides_and_the_option_wins(runner: CliRunner) -> None:
    chinese = {"LANG": "zh_CN.UTF-8"}

    assert runner.invoke(spoken, env=chinese).output == "zh\n"
    assert runner.invoke(spoken, env={**chinese, "LC_ALL": "C.UTF-8"}).output == "en\n"
    assert runner.invoke(spoken, ["--lang", "en"], env=chinese).output == "en\n"
    assert runner.invoke(spoken, ["--lang", "zh"], env={"LANG": "fr_FR"}).output == "zh\n"


def test_a_language_it_doesnt_speak_is_refused(runner: CliRunner) -> None:
    refused = runner.invoke(spoken, ["--lang", "fr"])

    assert refused.exit_code == 2
    assert "en and zh" in refused.output


@pytest.mark.parametrize("name", FORMATS)
def test_a_text_has_the_same_gaps_in_both_languages(name: str) -> None:
    assert gaps(getattr(ZH, name)) == gaps(getattr(EN, name))


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_in_both_languages(name: str) -> None:
    assert re.search("[\u4e00-\u9fff]", getattr(ZH, name))
    assert not re.search("[\u4e00-\u9fff]", getattr(EN, name))


def gaps(text: str) -> int:
    return sum(field is not None for _, field, _, _ in string.Formatter().parse(text))
