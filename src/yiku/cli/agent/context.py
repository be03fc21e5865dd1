"""What fills an agent's context window, a bar for each part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from yiku.cli import output
from yiku.cli.output import width_of
from yiku.core.language import Language

PREFIX = "num_tokens_"
WIDTH = 32
FULL, EMPTY = "█", "░"
EIGHTHS = " ▏▎▍▌▋▊▉"
NAMES: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "system": "instructions",
        "core_memory": "memory blocks",
        "memory_filesystem": "memory files",
        "tool_usage_rules": "tool rules",
        "directories": "folders",
        "external_memory_summary": "notes on time and memory",
        "summary_memory": "summary",
        "functions_definitions": "tools",
        "messages": "messages",
    },
    "zh": {
        "system": "指令",
        "core_memory": "记忆块",
        "memory_filesystem": "记忆文件",
        "tool_usage_rules": "工具规则",
        "directories": "文件夹",
        "external_memory_summary": "时间与记忆说明",
        "summary_memory": "摘要",
        "functions_definitions": "工具",
        "messages": "消息",
    },
}
"""v1's names of the parts, in words. What v1 calls a summary of external memory is what an agent is
told of it: no summary of anything that was said."""
FREE: Mapping[Language, str] = {"en": "free", "zh": "空闲"}
TOTAL: Mapping[Language, str] = {
    "en": "{used:,} of {size:,} tokens ({share:.0%})",
    "zh": "{used:,} / {size:,} 个词元（{share:.0%}）",
}
COUNTS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "num_messages": "{:,} messages in the window",
        "num_recall_memory": "{:,} earlier ones",
        "num_archival_memory": "{:,} archival memories",
    },
    "zh": {
        "num_messages": "窗口内 {:,} 条消息",
        "num_recall_memory": "更早的 {:,} 条",
        "num_archival_memory": "归档记忆 {:,} 条",
    },
}


def parts_of(overview: Mapping[str, Any], language: Language = "en") -> dict[str, int]:
    """Tokens by part, in the window's order; parts that take nothing are left out."""
    found = {
        name.removeprefix(PREFIX): int(value)
        for name, value in overview.items()
        if name.startswith(PREFIX) and value
    }
    names = NAMES[language]
    return {names.get(name, name.replace("_", " ")): tokens for name, tokens in found.items()}


def print_context(overview: Mapping[str, Any], language: Language = "en") -> None:
    size = max(int(overview["context_window_size_max"]), 1)
    used = int(overview["context_window_size_current"])
    parts, free = parts_of(overview, language), FREE[language]
    widest = max(map(width_of, [*parts, free]))
    click.secho(TOTAL[language].format(used=used, size=size, share=used / size), bold=True)
    for name, tokens in [*parts.items(), (free, max(size - used, 0))]:
        filled = click.style(bar(tokens / size), fg="bright_black" if name == free else "cyan")
        label = name + " " * (widest - width_of(name))
        click.echo(f"  {label}  {filled}  {tokens:>9,}  {tokens / size:>5.1%}")
    counts = [
        words.format(int(overview[key]))
        for key, words in COUNTS[language].items()
        if overview.get(key) is not None
    ]
    output.note("  ".join(counts))


def bar(share: float) -> str:
    """To an eighth of a character; what there is at all is seen."""
    eighths = min(round(share * WIDTH * 8), WIDTH * 8)
    eighths = max(eighths, 1) if share > 0 else 0
    whole, rest = divmod(eighths, 8)
    shown = FULL * whole + (EIGHTHS[rest] if rest else "")
    return shown + EMPTY * (WIDTH - len(shown))
