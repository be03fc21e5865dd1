"""`yiku schedule create | list | show | delete`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from yiku.cli import output
from yiku.cli.agent.named import named_agent
from yiku.cli.options import Asked, Group
from yiku.cli.running import is_remote, with_memory
from yiku.client.memory import MemoryClient
from yiku.core.errors import Invalid
from yiku.server.v1.wire_agents import AgentOut
from yiku.server.v1.wire_schedules import OnceOut, ScheduleOut

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
OPTIONS = {"scheduled_at": "--at", "cron_expression": "--cron", "timezone": "--timezone"}
"""By the names of v1's fields."""
WIDTH = 40
"""Of a message in a list."""


class Span(click.ParamType[timedelta]):
    """`90s`, `15m`, `2h`, `1d`."""

    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(\d{1,6})([smhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is none; 90s, 15m, 2h and 1d are", param, ctx)
        return timedelta(**{UNITS[found[2]]: int(found[1])})


@click.group(cls=Group)
def schedule() -> None:
    """Send agents messages later, once or again and again.

    AGENT is a name or an id. Messages are sent while a server or a worker runs: `yiku serve`.
    """


@schedule.command()
@click.argument("named", metavar="AGENT")
@click.argument("text")
@click.option("--at", metavar="TIME", help="Once: 2027-01-31T09:00, in --timezone.")
@click.option("--in", "after", type=Span(), metavar="SPAN", help="Once: in 90s, 15m, 2h or 1d.")
@click.option("--cron", metavar="EXPR", help="Again and again: '0 9 * * 1-5'.")
@click.option("--timezone", metavar="ZONE", help="IANA's name; without it the agent's own.")
@click.option(
    "--missed",
    type=click.Choice(["run", "skip"]),
    help="What no server was there for: sent once as soon as one is, or not. Without it: as"
    " YIKU_SCHEDULES_MISSED says.",
)
@click.option("--max-steps", type=click.IntRange(1, 10_000))
@click.pass_obj
def create(
    asked: Asked,
    named: str,
    text: str,
    at: str | None,
    after: timedelta | None,
    cron: str | None,
    timezone: str | None,
    missed: Any,
    max_steps: int | None,
) -> None:
    """Send AGENT the message TEXT at a time, or again and again."""
    if [at, after, cron].count(None) != 2:
        raise Invalid("Say when, in one way: --at TIME, --in SPAN or --cron EXPR.")
    if not text.strip():
        raise Invalid("The text is empty; say what is to be sent.")
    if timezone is not None:
        zone_of(timezone)

    async def work(memory: MemoryClient) -> tuple[AgentOut, ScheduleOut]:
        agent = await named_agent(memory.agents, named)
        zone = timezone or agent.timezone
        try:
            made = await memory.schedules.create(
                agent.id,
                text,
                at=None if cron is not None else moment_of(at, after, zone),
                cron=cron,
                timezone=zone,
                missed=missed,
                max_steps=max_steps,
            )
        except Invalid as error:
            raise Invalid(in_words_of_options(error.message)) from error
        return agent, made

    agent, made = with_memory(asked, work)
    if asked.as_json:
        output.print_model(made)
        return
    click.echo(f"{click.style('scheduled', fg='green')}  {agent.name}, {when(made)}  {made.id}")
    if not is_remote(asked):
        output.note("it is sent while a server runs: `yiku serve`")


def in_words_of_options(message: str) -> str:
    """The options' names in place of the fields'."""
    for field, option in OPTIONS.items():
        message = message.replace(f"{field}: ", f"{option}: ", 1)
    return message


def zone_of(name: str) -> ZoneInfo:
    """Raises: Invalid."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise Invalid(f"{name!r} is no time zone; IANA's names are, like Asia/Shanghai.") from error


def moment_of(at: str | None, after: timedelta | None, timezone: str) -> datetime:
    """Raises: Invalid."""
    if after is not None:
        return datetime.now(UTC) + after
    zone = zone_of(timezone)
    try:
        found = datetime.fromisoformat(at or "")
        return found if found.tzinfo else found.replace(tzinfo=zone)
    except ValueError as error:
        raise Invalid(
            f"--at: {at!r} is no time; 2027-01-31T09:00 is one, in --timezone, and so is"
            " 2027-01-31T09:00+08:00."
        ) from error


@schedule.command("list")
@click.argument("named", metavar="AGENT")
@click.pass_obj
def list_schedules(asked: Asked, named: str) -> None:
    """Show what AGENT is to be sent, in the order it was asked for."""

    async def work(memory: MemoryClient) -> list[ScheduleOut]:
        return await memory.schedules.list((await named_agent(memory.agents, named)).id)

    found = with_memory(asked, work)
    if asked.as_json:
        output.print_json({"schedules": [one.model_dump(mode="json") for one in found]})
        return
    output.print_table(
        ["next", "when", "message", "sent", "id"],
        ([next_of(one), when(one), text_of(one), f"{one.fired_count:,}", one.id] for one in found),
    )


@schedule.command()
@click.argument("named", metavar="AGENT")
@click.argument("schedule_id", metavar="ID")
@click.pass_obj
def show(asked: Asked, named: str, schedule_id: str) -> None:
    """Show one of AGENT's schedules, and how it did."""

    async def work(memory: MemoryClient) -> ScheduleOut:
        agent = await named_agent(memory.agents, named)
        return await memory.schedules.get(agent.id, schedule_id)

    one = with_memory(asked, work)
    if asked.as_json:
        output.print_model(one)
        return
    click.secho(when(one), bold=True)
    click.echo(output.visible(text_of(one, width=None)))
    last = "" if one.last_fired_at is None else f"last {output.moment(one.last_fired_at)}"
    facts = [next_of(one), f"sent {one.fired_count:,} times", last, f"missed: {one.missed}"]
    click.secho("  ".join(filter(None, [*facts, one.last_run_id, one.id])), dim=True)
    if one.problem:
        click.secho(output.visible(one.problem), fg="yellow")


@schedule.command()
@click.argument("named", metavar="AGENT")
@click.argument("schedule_id", metavar="ID")
@click.pass_obj
def delete(asked: Asked, named: str, schedule_id: str) -> None:
    """Send it no more; what has begun goes on."""

    async def work(memory: MemoryClient) -> None:
        agent = await named_agent(memory.agents, named)
        await memory.schedules.delete(agent.id, schedule_id)

    with_memory(asked, work)
    if asked.as_json:
        output.print_json({"deleted": schedule_id})
    else:
        click.echo(f"{click.style('deleted', fg='green')}  {schedule_id}")


def when(one: ScheduleOut) -> str:
    if isinstance(one.schedule, OnceOut):
        at = datetime.fromtimestamp(one.schedule.scheduled_at / 1000, UTC)
        return f"once, {output.moment(at)}"
    return f"{one.schedule.cron_expression} {one.schedule.timezone}"


def next_of(one: ScheduleOut) -> str:
    if one.next_scheduled_time is None:
        return one.status
    return output.moment(datetime.fromisoformat(one.next_scheduled_time))


def text_of(one: ScheduleOut, width: int | None = WIDTH) -> str:
    """What is said, without pictures."""
    texts: list[str] = []
    for message in one.message.messages:
        content: Any = message["content"]
        parts: list[Any] = [{"text": content}] if isinstance(content, str) else content
        texts += [part["text"] for part in parts if "text" in part]
    return "\n".join(texts) if width is None else output.one_line(" ".join(texts), width)
