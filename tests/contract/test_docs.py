"""The documents are true of the code; scripts/check_docs.py says how that is checked."""

from pathlib import Path

import click
import pytest

from scripts import check_docs


@click.group()
@click.option("--json", "as_json", is_flag=True)
@click.option("--home")
def cli(as_json: bool, home: str) -> None: ...


@cli.command()
@click.argument("text")
@click.option("--user")
def add(text: str, user: str) -> None: ...


@cli.group()
def archive() -> None: ...


@archive.command("list")
def list_archives() -> None: ...


@cli.command(hidden=True)
def secret() -> None: ...


def test_the_documents_are_true_of_the_code() -> None:
    assert check_docs.problems() == []


@pytest.mark.parametrize(
    "link", ["nowhere.md", "docs/nowhere.md#x", "../outside.md", "#no-such-heading", "b.md#c"]
)
def test_a_broken_link_is_caught(tmp_path: Path, link: str) -> None:
    (tmp_path / "b.md").write_text("# A heading\n")
    (tmp_path / "README.md").write_text(f"# Title\n[here]({link})\n")

    assert len(check_docs.broken_links(tmp_path)) == 1


def test_good_links_pass(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# `yiku add`, 添加 & more\n")
    (tmp_path / "README.md").write_text(
        "# One two\n[a](b.md) [b](b.md#yiku-add-添加--more) [c](#one-two) [d](https://example.org/x)\n"
        "`[not](a-link.md)`\n```\n[nor](this.md)\n```\n"
    )

    assert check_docs.broken_links(tmp_path) == []


@pytest.mark.parametrize(
    "line",
    [
        "$ yiku learn x",
        "$ yiku archive drop",
        "$ yiku add x --colour red",
        "$ YIKU_HOME=/x yiku learn x",
        "$ cat x | yiku learn",
        "$ yiku --home /x learn",
    ],
)
def test_a_command_that_does_not_exist_is_caught(tmp_path: Path, line: str) -> None:
    (tmp_path / "README.md").write_text(f"```console\n{line}\nyiku output\n```\n")

    assert len(check_docs.wrong_commands(tmp_path, cli)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "$ yiku add '我对花生过敏' --user ann",
        "$ yiku --home /x --json archive list  # all of them",
        "$ echo a | yiku add - --user=ann && yiku archive list",
        "yiku-like output",
    ],
)
def test_commands_that_exist_pass(tmp_path: Path, line: str) -> None:
    (tmp_path / "README.md").write_text(f"```console\n{line}\n```\n")

    assert check_docs.wrong_commands(tmp_path, cli) == []


def test_a_command_missing_in_the_reference_is_caught(tmp_path: Path) -> None:
    reference = tmp_path / "cli.md"
    reference.write_text("## yiku add\n")

    assert check_docs.missing_commands(reference, cli) == [
        "cli.md: `yiku archive list` isn't described"
    ]


def test_a_setting_missing_in_the_reference_is_caught(tmp_path: Path) -> None:
    reference = tmp_path / "settings.md"
    reference.write_text("`YIKU_HOME` is a folder\n")

    assert check_docs.missing_settings(reference, {"YIKU_HOME", "YIKU_PORT"}) == [
        "settings.md: `YIKU_PORT` isn't described"
    ]


def test_a_setting_that_nothing_reads_is_caught(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Set `YIKU_HOME` and `YIKU_COLOUR`.\n")

    assert check_docs.unknown_settings(tmp_path, {"YIKU_HOME"}) == [
        "README.md: there is no setting YIKU_COLOUR"
    ]
