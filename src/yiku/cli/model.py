"""`yiku model list | test | pull | path`."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import click

from yiku.app import models_choice
from yiku.cli import output
from yiku.cli.doctor import Finding, as_json, print_finding
from yiku.cli.model_test import tried
from yiku.cli.options import Asked, Group
from yiku.cli.progress import Bar
from yiku.cli.running import local_settings
from yiku.core.errors import ModelNotFound
from yiku.providers.models import Models
from yiku.providers.presets import LocalPreset, local_preset, local_preset_names
from yiku.providers.pull import pull as pull_files
from yiku.providers.weights import find_weights
from yiku.settings import Settings

DEFAULT = "all-minilm-l6-v2"


class KnownModel(click.ParamType[LocalPreset]):
    """A local model by its name or its handle."""

    name = "name"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> LocalPreset:
        try:
            return local_preset(str(value).removeprefix("local/"))
        except ModelNotFound as error:
            self.fail(error.message, param, ctx)


model_name = click.argument("preset", metavar="[NAME]", type=KnownModel(), default=DEFAULT)


@click.group(cls=Group)
def model() -> None:
    """List and try language models; list, fetch and find local embedding models."""


@model.command("list")
@click.pass_obj
def list_models(asked: Asked) -> None:
    """Show the models there are: to embed with, on this machine, and to talk with.

    Providers of language models are asked where their key or address is set, or where they run
    on this machine.
    """
    settings = local_settings(asked)
    embeddings = [local_model(local_preset(name), settings) for name in local_preset_names()]
    talking = asyncio.run(language_models(settings))
    if asked.as_json:
        output.print_json({"models": embeddings, **talking})
        return
    output.print_table(
        ["to embed with", "numbers", "languages", "where"],
        (
            [
                f"{one['handle']}{'  (configured)' if one['configured'] else ''}",
                str(one["dimension"]),
                str(one["languages"]),
                str(one["path"] or f"not here: yiku model pull {one['name']}"),
            ]
            for one in embeddings
        ),
        whole=("to embed with",),
    )
    click.echo()
    output.print_table(
        ["to talk with", "window", "note"],
        (
            [
                f"{one['handle']}{'  (default)' if one['default'] else ''}",
                f"{one['context_window']:,}",
                str(one["note"] or ""),
            ]
            for one in talking["language_models"]
        ),
        whole=("to talk with",),
    )
    for name, why in talking["unlisted"].items():
        output.note(f"{name} was not listed: {why}")
    output.note(
        "More once a key is set: "
        + ", ".join(f"{name} ({key})" for name, key in talking["unconfigured"].items())
    )


@model.command("test")
@click.argument("handle", required=False)
@click.pass_obj
def try_model(asked: Asked, handle: str | None) -> None:
    """Try a language model: its key, an answer, streaming, tools.

    HANDLE is <provider>/<model>; without it, YIKU_MODEL. A few short questions are asked. Exit
    code 1 where something fails.
    """
    settings = local_settings(asked)
    findings: list[Finding] = []

    async def run() -> None:
        models = Models(models_choice(settings))
        try:
            async for one in tried(models, handle or models.default):
                findings.append(one)
                if not asked.as_json:
                    print_finding(one)
        finally:
            await models.close()

    asyncio.run(run())
    ok = all(one.state != "fail" for one in findings)
    if asked.as_json:
        output.print_json({"ok": ok, "findings": [as_json(one) for one in findings]})
    if not ok:
        click.get_current_context().exit(1)


@model.command()
@model_name
@click.option("--mirror", help="Base address of a model hub; default: YIKU_MODEL_MIRROR.")
@click.pass_obj
def pull(asked: Asked, preset: LocalPreset, mirror: str | None) -> None:
    """Fetch the files of a local model, checked, into the data directory."""
    settings = local_settings(asked)
    settings.make_home()
    with Bar(f"fetching {preset.name}", asked, unit="bytes") as bar:
        path = asyncio.run(
            pull_files(preset, settings.home_dir, bar.update, hub=mirror or settings.model_mirror)
        )
    if asked.as_json:
        output.print_json({"name": preset.name, "path": str(path)})
    else:
        click.echo(f"{click.style('ready', fg='green')}  local/{preset.name}  {path}")


@model.command()
@model_name
@click.pass_obj
def path(asked: Asked, preset: LocalPreset) -> None:
    """Print the folder that holds a local model's files."""
    settings = local_settings(asked)
    settings.make_home()
    found = find_weights(preset, settings.home_dir, settings.model_dir).parent
    if asked.as_json:
        output.print_json({"name": preset.name, "path": str(found)})
    else:
        click.echo(found)


def local_model(preset: LocalPreset, settings: Settings) -> dict[str, Any]:
    path = folder_of(preset, settings)
    return {
        "name": preset.name,
        "handle": f"local/{preset.name}",
        "dimension": preset.dimension,
        "languages": preset.languages,
        "multilingual": preset.multilingual,
        "path": None if path is None else str(path),
        "configured": settings.embedding == f"local/{preset.name}",
    }


async def language_models(settings: Settings) -> dict[str, Any]:
    models = Models(models_choice(settings))
    try:
        cards = await models.listed()
        return {
            "language_models": [
                {**dataclasses.asdict(card), "default": card.handle == models.default}
                for card in cards
            ],
            "unlisted": dict(await models.unlisted()),
            "unconfigured": dict(models.unconfigured),
        }
    finally:
        await models.close()


def folder_of(preset: LocalPreset, settings: Settings) -> Path | None:
    try:
        return find_weights(preset, settings.home_dir).parent
    except ModelNotFound:
        return None
