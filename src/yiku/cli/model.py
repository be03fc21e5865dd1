"""`yiku model list | pull | path`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from yiku.cli import output
from yiku.cli.options import Asked, Group
from yiku.cli.progress import Bar
from yiku.cli.running import local_settings
from yiku.core.errors import ModelNotFound
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
    """List, fetch and find local embedding models."""


@model.command("list")
@click.pass_obj
def list_models(asked: Asked) -> None:
    """Show the local models Yiku knows, and which are on this machine."""
    settings = local_settings(asked)
    found = [
        {
            "name": preset.name,
            "handle": f"local/{preset.name}",
            "dimension": preset.dimension,
            "languages": preset.languages,
            "multilingual": preset.multilingual,
            "path": None if (path := folder_of(preset, settings)) is None else str(path),
            "configured": settings.embedding == f"local/{preset.name}",
        }
        for preset in map(local_preset, local_preset_names())
    ]
    if asked.as_json:
        output.print_json({"models": found})
        return
    output.print_table(
        ["model", "numbers", "languages", "where"],
        (
            [
                f"{one['handle']}{'  (configured)' if one['configured'] else ''}",
                str(one["dimension"]),
                str(one["languages"]),
                str(one["path"] or f"not here: yiku model pull {one['name']}"),
            ]
            for one in found
        ),
    )


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


def folder_of(preset: LocalPreset, settings: Settings) -> Path | None:
    try:
        return find_weights(preset, settings.home_dir).parent
    except ModelNotFound:
        return None
