"""`yiku chat`: an agent in the terminal."""

from __future__ import annotations

from typing import Any

import click

from yiku.cli.chat.words import Language, language_option, words
from yiku.cli.options import Asked, Command
from yiku.cli.running import connection

DEFAULT = "assistant"


@click.command(cls=Command)
@click.argument("named", metavar="[AGENT]", required=False)
@click.option("--agent", metavar="NAME|ID", help=f"As the argument; default: {DEFAULT}.")
@click.option("--message", help="Say this, and end when it is answered.")
@click.option("--model", metavar="HANDLE", help="A new agent's; else for this chat only.")
@click.option("--reasoning", is_flag=True, help="Show what the model thinks.")
@click.option("--max-steps", type=click.IntRange(1, 1000), help="Of each answer.")
@language_option
@click.pass_obj
def chat(
    asked: Asked,
    named: str | None,
    agent: str | None,
    message: str | None,
    lang: Language,
    **how: Any,
) -> int:
    """Talk with an agent: AGENT is its name or id. One of a new name is made.

    Its answer is shown as it comes, with its memory edits and tool calls. /help shows the commands.
    From a pipe, each line is a message. Without a language model the offline responder answers.
    Exit code 1 where an answer failed.
    """
    if named is not None and agent is not None and named != agent:
        raise click.UsageError("Give AGENT or --agent, not both", click.get_current_context())
    if message is not None and not message.strip():
        raise click.UsageError("--message is empty", click.get_current_context())
    from yiku.cli.chat.talk import Asking, talk

    asking = Asking(
        name=named or agent or DEFAULT,
        message=message,
        words=words(lang),
        as_json=asked.as_json,
        **how,
    )
    with connection(asked) as memory:
        return talk(memory, asking)
