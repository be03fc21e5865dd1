"""A memory skill with a flaw gets better by use, step by step, under test and by decision.

    python examples/skill_evolution.py

It runs offline: Yiku's server and a small model of our own (`prompted_model.py`, with the rules it
answers by) in this process, spoken to over HTTP; the data directory is deleted at the end.

The flaw: a skill is told to write memories "in a few words", and figures get lost. The inputs are
below. The scoring is Yiku's own: `docs/reference/skill-evolution.md`.
"""

import argparse
import asyncio
import json
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import uvicorn
from prompted_model import prompted_model

from yiku.app import build
from yiku.client.connect import connect
from yiku.client.memory import MemoryClient
from yiku.server.http import build_asgi
from yiku.server.wire_skills import SkillChangeWholeOut
from yiku.settings import load
from yiku.worker.work import working

PATIENCE = 1_200
"""Times that it is looked whether the worker has done all."""
SKILL = "notes"
FLAWED = """\
Say what the text tells in a few words.
{% for one in known %}
- [{{ one.id }}] {{ one.text }}
{% endfor %}
{{ content }}"""

WITH_FIGURES = [
    ("Note: my shoe size is 43", "What is my shoe size?"),
    ("Note: my monthly rent is 1150 euros", "How much is my monthly rent?"),
    ("Note: my parking spot is number 212", "Which number has my parking spot?"),
    ("Note: my hotel room is number 408", "Which number has my hotel room?"),
    ("Note: my flight to Rome leaves at 7:15", "When does my flight to Rome leave?"),
    ("Note: my dentist visit is on 3 March", "When is my dentist visit?"),
    ("Note: my weight is 71 kilos", "How many kilos is my weight?"),
    ("Note: my train seat is number 61", "Which number has my train seat?"),
    ("记一下：我的鞋柜密锁是4071", "我的鞋柜密锁是多少？"),
    ("记一下：我的房租是3200元", "我的房租是多少？"),
]
WITHOUT = [
    ("Note: my sister lives in Oslo", "Where does my sister live?"),
    ("Note: my cat is called Miso", "What is my cat called?"),
    ("Note: my boss is Priya Sharma", "Who is my boss?"),
    ("Note: my home airport is Vienna", "Which is my home airport?"),
    ("Note: my instrument is the cello", "What is my instrument?"),
    ("记一下：我的猫叫小米", "我的猫叫什么？"),
]
LATER = [
    ("Note: my locker is number 88", "Which number has my locker?"),
    ("Note: my office desk is number 914", "Which number has my office desk?"),
    ("Note: my exam score is 512 points", "How many points is my exam score?"),
    ("Note: my ferry to Malta leaves at 18:40", "When does my ferry to Malta leave?"),
    ("Note: my gym badge is number 7703", "Which number has my gym badge?"),
    ("Note: my bike frame is 56", "What size is my bike frame?"),
    ("Note: my brass trumpet is a Yamaha", "What is my brass trumpet?"),
    ("Note: my violin teacher is Mr Novak", "Who is my violin teacher?"),
    ("记一下：我的储物箱是726号", "我的储物箱是多少号？"),
    ("记一下：我的车票座位是15号", "我的车票座位是多少号？"),
]
BY_HAND = [
    ("Note: my sauna slot is at 20:15", "When is my sauna slot?"),
    ("Note: my choir seat is number 19", "Which number has my choir seat?"),
    ("Note: my kayak rack is number 33", "Which number has my kayak rack?"),
]
CORRECTION = "No, that's wrong: my dentist visit in Linz is on 3 March"
FORGOTTEN = "Forget my train seat."


@dataclass(slots=True)
class Told:
    """What the story came to, for whoever checks it."""

    before: dict[str, Any] = field(default_factory=dict[str, Any])
    worse: dict[str, Any] = field(default_factory=dict[str, Any])
    better: dict[str, Any] = field(default_factory=dict[str, Any])
    after: dict[str, Any] = field(default_factory=dict[str, Any])
    again: dict[str, Any] = field(default_factory=dict[str, Any])
    back: dict[str, Any] = field(default_factory=dict[str, Any])


def heading(words: str) -> None:
    say(f"\n\033[1m{words}\033[0m" if sys.stdout.isatty() else f"\n{words}")


def say(words: str) -> None:
    print(words)


class Server(uvicorn.Server):
    """Beside the story, in one process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def served(
    model_url: str, designer: str, home: str, database: str
) -> AsyncIterator[MemoryClient]:
    """Yiku's server in this process, with its worker, and a client that speaks HTTP to it."""
    settings = load(
        home=home,
        database_url=database,
        model="openai/agent",
        model_base_url=model_url,
        model_api_key="none",
        designer_llm_model=f"openai/{designer}",
        require_key="never",
    )
    async with build(settings) as app, working(app):
        config = uvicorn.Config(build_asgi(app), port=0, log_config=None, lifespan="off")
        server = Server(config)
        serving = asyncio.create_task(server.serve())
        await server.up.wait()
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            async with connect(f"http://127.0.0.1:{port}") as memory:
                yield memory
        finally:
            server.should_exit = True
            await serving


class Story:
    """An agent that remembers by the skill alone: it sees no earlier messages."""

    def __init__(self, memory: MemoryClient, agent_id: str) -> None:
        self.memory = memory
        self.skills = memory.skills
        self.agent_id = agent_id

    async def said(self, words: str) -> str:
        return (await self.memory.agents.send(self.agent_id, words)).text

    async def tell(self, texts: list[tuple[str, str]]) -> None:
        for text, _ in texts:
            await self.said(text)
        await self.settled()

    async def ask(self, texts: list[tuple[str, str]]) -> list[bool]:
        """Whether each question is answered."""
        replies = [await self.said(question) for _, question in texts]
        await self.settled()
        for (_, question), reply in zip(texts, replies, strict=True):
            say(f"  {question:<42} {reply}")
        return ["know" not in one and "不知道" not in one for one in replies]

    async def settled(self) -> None:
        """When the worker has encoded and judged all that there was."""
        for _ in range(PATIENCE):
            jobs = (await self.skills.stats()).jobs
            if not jobs:
                return
            await asyncio.sleep(0.05)
        raise TimeoutError(f"Still to be done: {jobs}")

    async def figures(self, skill_id: str | None = None) -> dict[str, Any]:
        """Of a version; None: of the active one."""
        shown = await self.skills.get(SKILL)
        wanted = skill_id or (shown.active.id if shown.active else "")
        counts = (await self.skills.stats(SKILL)).versions
        [one] = [each for each in counts if each.skill.id == wanted]
        found = {
            "version": one.skill.version,
            "used": one.skill.positive_count,
            "failed": one.skill.negative_count,
            "rate": round(one.skill.negative_rate, 3),
            "by": one.feedback,
        }
        kinds = ", ".join(f"{kind} {count}" for kind, count in one.feedback.items() if count)
        say(
            f"  version {found['version']}: used {found['used']} times, failed {found['failed']}"
            f" times, {one.skill.negative_rate:.0%} ({kinds})"
        )
        return found


def show_trial(change: SkillChangeWholeOut) -> dict[str, Any]:
    report = change.report
    for line in change.diff.splitlines():
        if line[:1] in "+-" and not line.startswith(("+++", "---")):
            say(f"    {line}")
    for pair in change.pairs:
        old, new = (
            " | ".join(one["text"] or one["op"] for one in side["operations"]) or "nothing"
            for side in (pair.old, pair.new)
        )
        sort = "failed" if pair.failed_before else "worked"
        say(f"  {sort}  {pair.old_score:.2f} → {pair.new_score:.2f}  {pair.original}")
        say(f"      old: {old}\n      new: {new}")
    say(
        f"  {report['pairs']} pairs: {report['wins']} better, {report['losses']} worse,"
        f" {report['ties']} alike; mean {report['mean']:+.2f}"
        f" ({report['low']:+.2f} … {report['high']:+.2f}), p = {report['p_better']:.4f}"
        f" → {report['verdict']}"
    )
    names = ("verdict", "pairs", "wins", "losses", "ties", "mean", "p_better", "held_out")
    return {name: report[name] for name in names} | {
        "status": change.status,
        "shown": len(change.pairs),
        "tries": report["tries"],
    }


async def use(story: Story) -> dict[str, Any]:
    heading("1. A skill with a flaw is used · 有缺陷的技能")
    say("  Its prompt: “" + FLAWED.splitlines()[0] + "” Figures get lost.")
    await story.tell(WITH_FIGURES + WITHOUT)
    answered = await story.ask(WITH_FIGURES + WITHOUT)
    say(f"  {CORRECTION}")
    await story.said(CORRECTION)
    say(f"  {FORGOTTEN}  →  {await story.said(FORGOTTEN)}")
    await story.settled()
    return {"answered": sum(answered), "asked": len(answered), **await story.figures()}


async def stopped(story: Story) -> dict[str, Any]:
    heading("2. A hasty Designer: what is worse is stopped · 更差的提案被拦下")
    made = await story.skills.evolve()
    for one in made.tries:
        say(f"  try: {one.refused}")
    assert made.change is not None, made
    change = await story.skills.change(made.change.id)
    shown = await story.skills.get(SKILL)
    found = show_trial(change)
    say(f"  It is {change.status}; version {shown.active and shown.active.version} works on.")
    return {**found, "active": shown.active and shown.active.version}


async def improved(story: Story) -> tuple[dict[str, Any], str]:
    heading("3. A careful Designer: a canary with evidence · 有证据的金丝雀版本")
    made = await story.skills.evolve()
    assert made.change is not None, made
    preview = await story.skills.preview(made.change.id)
    found = show_trial(preview.change)
    say("  " + preview.change.reason.replace("\n\n", "\n  "))
    assert preview.obstacle is None, preview.obstacle
    shown = await story.skills.get(SKILL)
    before = shown.active and shown.active.version
    heading("4. An administrator approves · 管理员批准")
    done = await story.skills.approve(made.change.id, reason="figures are kept")
    assert done.active is not None
    now, old = done.active, done.other
    say(f"  version {now.version} is active, version {old.version} is {old.status}")
    return {**found, "active_before": before, "active": done.active.version}, done.other.id


async def told_anew(story: Story, old_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    await story.tell(LATER)
    answered = await story.ask(LATER)
    after = {"answered": sum(answered), "asked": len(answered), **await story.figures()}
    heading("5. What the flawed version wrote is encoded anew · 旧版本写的内容重新编码")
    reverted = await story.skills.revert_version(old_id, mode="encode")
    await story.settled()
    say(f"  {reverted.done} texts, {reverted.again} of them encoded again")
    texts = [one for one in WITH_FIGURES if "train seat" not in one[0]]
    answers = await story.ask(texts)
    return after, {
        "done": reverted.done,
        "again": reverted.again,
        "answered": sum(answers),
        "asked": len(answers),
    }


async def rolled_back(story: Story) -> dict[str, Any]:
    heading("6. A prompt changed by hand does worse, and is rolled back · 一步回滚")
    shown = await story.skills.get(SKILL)
    assert shown.active is not None
    good = shown.active
    short = good.prompt_template.replace("in a few words", "in one word")
    bad = await story.skills.edit(SKILL, prompt_template=short, reason="shorter")
    await story.tell(BY_HAND[:2])
    answered = await story.ask(BY_HAND[:2])
    failed = await story.figures()
    done = await story.skills.rollback(SKILL, reason="it loses nearly everything")
    assert done.active is not None
    say(f"  version {bad.version} → version {done.active.version}")
    await story.tell(BY_HAND[2:])
    then = await story.ask(BY_HAND[2:])
    return {
        "by_hand": sum(answered),
        "rate_by_hand": failed["rate"],
        "restored": done.active.id == good.id and done.other.id == bad.id,
        "failures_kept": done.other.negative_count,
        "answered": sum(then),
    }


async def story(home: str, database: str) -> Told:
    """All of it, on one database; the server is started twice, with another Designer."""
    told = Told()
    with prompted_model() as url:
        async with served(url, "hasty", home, database) as memory:
            await memory.skills.add(
                SKILL,
                skill_type="encoding",
                description="Short notes.",
                intent_keywords=["note", "my", "记一下", "我的"],
                prompt_template=FLAWED,
            )
            agent = await memory.agents.create(
                "Yi",
                tools=["save_insight", "query_memory", "forget_memory"],
                include_base_tools=False,
                message_buffer_autoclear=True,  # each message stands alone; memory is all it has
            )
            first = Story(memory, agent.id)
            told.before = await use(first)
            told.worse = await stopped(first)
        async with served(url, "careful", home, database) as memory:
            then = Story(memory, agent.id)
            told.better, old_id = await improved(then)
            told.after, told.again = await told_anew(then, old_id)
            told.back = await rolled_back(then)
    heading("In short · 小结")
    before, after = told.before, told.after
    say(
        f"  failures {before['rate']:.0%} → {after['rate']:.0%}; questions answered"
        f" {before['answered']} of {before['asked']} → {after['answered']} of {after['asked']}"
    )
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", help="data directory; default: one that is deleted at the end")
    parser.add_argument("--database", help="default: SQLite in the data directory")
    parser.add_argument("--figures", help="write what it came to into this file, as JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yiku-example-") as folder:
        home = given.home or folder
        told = asyncio.run(story(home, given.database or f"sqlite:///{home}/story.db"))
    if given.figures:
        with open(given.figures, "w", encoding="utf-8") as file:
            json.dump(asdict(told), file, ensure_ascii=False)


if __name__ == "__main__":
    main()
