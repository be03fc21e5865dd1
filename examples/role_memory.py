"""Role memory, step by step: routing, gating, search, an agent's step, archival volume.

    python examples/role_memory.py

It runs offline, in a data directory that is deleted at the end. 中英文混合演示。
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from itertools import product
from statistics import median

from yiku.core.message import Text
from yiku.core.model import Answer, Finish, Piece, Prompt, Usage
from yiku.core.role import Decision
from yiku.roles import (
    EmbeddingMoEAgent,
    EmbeddingMoEMemory,
    EmbeddingRoleConfig,
    RoleType,
    create_embedding_moe_memory_async,
)

SCIENTIST = EmbeddingRoleConfig(
    role_id="data_scientist",
    role_type=RoleType.TECHNICAL,
    role_name="数据科学家",
    role_description="专注于数据分析、机器学习、统计建模和数据可视化的专业角色\n"
    "Data analysis, machine learning, statistical models and charts",
    keywords=["数据", "分析", "机器学习", "统计", "模型", "regression", "dataset", "churn"],
    examples=["这个模型的准确率比上周提高了三个百分点", "Plot the churn rate by cohort"],
    max_memory_size=5_000,
)
MEMORIES = [
    "客户要求周三中午之前收到修改后的报价",
    "Ann's mother turns seventy on the 12th of May",
    "我对花生和芝麻过敏",
    "The login service crashes when the database pool is empty",
    "给新的茶饮品牌想一句口号，要有山和云的意象",
    "用随机森林预测用户流失，召回率是百分之八十一",
    "The board wants the quarterly figures on two slides",
    "The capital of Peru is Lima",
]
CONTEXTS = [
    "周末家里聚餐，我能吃什么？",
    "When does the client expect our offer?",
    "Why did the login service fail last night?",
    "预测用户流失的机器学习模型，数据够吗？",
    "How high is Mount Kilimanjaro?",
]
VOLUME = 1_000
MODELS = {
    "logistic regression": "逻辑回归",
    "random forest": "随机森林",
    "gradient boosting": "梯度提升",
    "neural network": "神经网络",
    "decision tree": "决策树",
}
TOWNS = {
    "Bergen": "卑尔根",
    "Oslo": "奥斯陆",
    "Berlin": "柏林",
    "Vienna": "维也纳",
    "Lisbon": "里斯本",
    "Madrid": "马德里",
    "Tokyo": "东京",
    "Hangzhou": "杭州",
    "Chengdu": "成都",
    "Xiamen": "厦门",
}
AIMS = {
    "churn": "用户流失",
    "rainfall": "降雨",
    "rent": "房租",
    "traffic": "车流",
    "fraud": "欺诈",
    "demand": "需求",
    "returns": "退货",
    "energy use": "用电量",
    "clicks": "点击率",
    "waiting times": "等候时间",
}


def heading(words: str) -> None:
    print(f"\n\033[1m{words}\033[0m" if sys.stdout.isatty() else f"\n{words}")


def named(roles: Sequence[str]) -> str:
    return ", ".join(roles) or "general memory 通用记忆"


class Timer:
    """Measures the calls it is entered for."""

    def __init__(self) -> None:
        self.ms: list[float] = []

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.ms.append(1000 * (time.perf_counter() - self._started))

    def __str__(self) -> str:
        return f"{median(self.ms):.1f} ms (median of {len(self.ms)})"


async def route_and_store(memory: EmbeddingMoEMemory) -> None:
    heading("1. Each memory finds its roles · 记忆自己找到角色")
    routing, adding = Timer(), Timer()
    for text in MEMORIES:
        with routing:
            await memory.route_memory_to_role_async(text)
        with adding:
            added = await memory.smart_add_memory_async(text)
        print(f"  {text}\n      → {named(added.roles)}")
    print(f"  a route takes {routing}, storing with it {adding}")


async def explain(memory: EmbeddingMoEMemory) -> None:
    heading("2. Why · 为什么")
    decision: Decision = await memory.explain_route_async("周五之前把季度模型交给客户")
    print("  周五之前把季度模型交给客户")
    for one in decision.scores:
        parts = "  ".join(f"{name} {value:+.2f}" for name, value in one.parts.items() if value)
        print(f"    {one.role_id:<24}{one.score:.2f}  {one.reason}\n      {parts}")


async def gate(memory: EmbeddingMoEMemory) -> None:
    heading("3. A context decides who speaks · 语境决定谁发言")
    gating = Timer()
    for context in CONTEXTS:
        with gating:
            active = await memory.moe_gate_for_context_async(context)
        hits = await memory.search_role_memories_async(context, "active", top_k=1)
        print(f"  {context}\n      active: {named(active)}")
        if active and hits:
            print(f"      knows:  {hits[0].passage.text}  ({hits[0].score:.2f})")
    print(f"  gating takes {gating}")
    await memory.moe_gate_for_context_async(CONTEXTS[1])
    print("\n  What goes into the prompt for “" + CONTEXTS[1] + "”:")
    for line in (await memory.compile()).text.splitlines():
        print(f"    {line}")


class Parrot:
    """A language model that needs no network; set YIKU_MODEL for a real one."""

    model = "example/parrot"

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece | Answer]:
        yield await self.complete(prompt)

    async def complete(self, prompt: Prompt) -> Answer:
        shown = [line for one in prompt.messages for line in one.text.splitlines()]
        known = [line for line in shown if line.startswith("- [")]
        text = known[-1].partition("] ")[2] if known else "I don't know yet."
        return Answer(parts=(Text(text),), usage=Usage(), finish=Finish.END, model=self.model)

    async def close(self) -> None: ...


async def step(memory: EmbeddingMoEMemory) -> None:
    heading("4. An agent's step: gate, compile, answer, store · 智能体的一步")
    agent = EmbeddingMoEAgent(memory, name="yiku", model=Parrot())
    taken = await agent.step("What should I keep in mind about peanuts and my allergies?")
    print(f"  active {named(taken.active_roles)}; the model was shown {len(taken.shown)} memories")
    print(f"  reply: {taken.reply}")
    for what, stored in zip(("message", "reply"), taken.stored, strict=True):
        print(f"  {what}: {stored.outcome}, in {named(stored.roles)}")


def english() -> list[str]:
    return [
        f"A {model} trained on the {town} dataset predicts {aim}, accuracy 0.{700 + n}"
        for n, (model, town, aim) in enumerate(product(MODELS, TOWNS, AIMS))
    ]


def chinese() -> list[str]:
    found = product(MODELS.values(), TOWNS.values(), AIMS.values())
    return [
        f"用{town}的数据训练{model}模型预测{aim}，准确率 0.{700 + n}"
        for n, (model, town, aim) in enumerate(found)
    ]


async def volume(memory: EmbeddingMoEMemory) -> None:
    heading(f"5. {VOLUME:,} memories in one role · 大量归档记忆")
    notes = [note for pair in zip(english(), chinese(), strict=True) for note in pair]
    started = time.perf_counter()
    for first in range(0, VOLUME, 250):
        await memory.smart_add_memories_async(notes[first : first + 250])
    took_s = time.perf_counter() - started
    scientist = memory.role("data_scientist")
    print(
        f"  stored in {took_s:.1f} s, {VOLUME / took_s:,.0f} a second, embedding and routing"
        f" included; {await scientist.count_async():,} came to data_scientist"
    )
    searching = Timer()
    for town in TOWNS:
        query = f"How well does the random forest predict fraud in {town}?"
        with searching:
            hits = await scientist.search_memories_async(query)
    print(f"  {query}\n      {hits[0].passage.text}\n  a search in the role takes {searching}")


async def main() -> None:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="yiku-example-") as home:
        memory = await create_embedding_moe_memory_async(
            persona="You are Yiku, calm and exact.",
            human="Ann leads sales in Bergen; 她说中文和英文。",
            agent_type="all",
            user="ann",
            home=home,
        )
        async with memory:
            await memory.add_role_async(SCIENTIST)
            print(f"Five roles are ready after {time.perf_counter() - started:.1f} s")
            await route_and_store(memory)
            await explain(memory)
            await gate(memory)
            await step(memory)
            await volume(memory)
            summary = await memory.get_memory_summary()
    heading("In short · 小结")
    for role_id, one in summary.roles.items():
        print(f"  {role_id:<24}{one.memories:>6} memories, gated {one.gated} of {one.considered}")
    print(f"  {'general memory':<24}{summary.general:>6}")
    print(f"  All of it took {time.perf_counter() - started:.1f} s.")


if __name__ == "__main__":
    asyncio.run(main())
