"""What fills an agent's context window, a bar for each part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from yiku.cli import output

PREFIX = "num_tokens_"
WIDTH = 32
FULL, EMPTY = "█", "░"
EIGHTHS = " ▏▎▍▌▋▊▉"
NAMES = {
    "system": "instructions",
    "core_memory": "memory blocks",
    "memory_filesystem": "memory files",
    "tool_usage_rules": "tool rules",
    "directories": "folders",
    "external_memory_summary": "memory summary",
    "summary_memory": "summary",
    "functions_definitions": "tools",
}


def parts_of(overview: Mapping[str, Any]) -> dict[str, int]:
    """Tokens by part, in the window's order; parts that take nothing are left out."""
    found = {
        name.removeprefix(PREFIX): int(value)
        for name, value in overview.items()
        if name.startswith(PREFIX) and value
    }
    return {NAMES.get(name, name.replace("_", " ")): tokens for name, tokens in found.items()}


def print_context(overview: Mapping[str, Any]) -> None:
    size = max(int(overview["context_window_size_max"]), 1)
    used = int(overview["context_window_size_current"])
    parts = parts_of(overview)
    widest = max(map(len, [*parts, "free"]))
    click.secho(f"{used:,} of {size:,} tokens ({used / size:.0%})", bold=True)
    for name, tokens in [*parts.items(), ("free", max(size - used, 0))]:
        filled = click.style(bar(tokens / size), fg="bright_black" if name == "free" else "cyan")
        click.echo(f"  {name:<{widest}}  {filled}  {tokens:>9,}  {tokens / size:>5.1%}")
    counts = [
        f"{int(overview[key]):,} {noun}"
        for key, noun in (
            ("num_messages", "messages in the window"),
            ("num_recall_memory", "earlier ones"),
            ("num_archival_memory", "archival memories"),
        )
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
