"""Check the documents: links lead somewhere, commands exist, the reference is complete.

python scripts/check_docs.py     prints each problem; exit code 1 when there is one
"""

import re
import shlex
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import click

ROOT = Path(__file__).parents[1]

FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>\w*)[^\n]*\n"
    r"(?P<code>.*?)^(?P=indent)(?P=ticks) *$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"""!?\[[^\]]*\]\(<?([^)\s>]+)[^)]*\)|\b(?:href|src)="([^"]+)\"""")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
COMMAND = re.compile(r"(?:^|[|;&(])\s*(?:[A-Z_]+=\S+\s+)*(?:\S*/)?yiku\s+(?P<words>[^|;&#)]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a document."""

    path: Path
    line: int  # of its first line of code
    language: str
    code: str
    before: str  # the line above the fence, where a marker may stand


def documents(root: Path) -> list[Path]:
    """The Markdown files people read: at the top, and in docs, examples and deploy."""
    folders = [root / name for name in ("docs", "examples", "deploy", "bench")]
    return sorted(root.glob("*.md")) + sorted(p for f in folders for p in f.rglob("*.md"))


def blocks(path: Path) -> Iterator[Block]:
    text = path.read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        above = text[: fence.start()].rstrip().rpartition("\n")[2]
        indent = len(fence["indent"])
        yield Block(
            path=path,
            line=text.count("\n", 0, fence.start("code")) + 1,
            language=fence["language"],
            code="".join(line[indent:] for line in fence["code"].splitlines(keepends=True)),
            before=above.strip(),
        )


def broken_links(root: Path) -> list[str]:
    """Relative links, and links to headings, that lead nowhere or out of the repository."""
    problems: list[str] = []
    for path in documents(root):
        prose = FENCE.sub("", path.read_text(encoding="utf-8"))
        for target in (a or b for a, b in LINK.findall(re.sub(r"`[^`\n]+`", "", prose))):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            file, _, anchor = unquote(target).partition("#")
            there = (path.parent / file).resolve() if file else path
            if not there.is_relative_to(root.resolve()) or not there.exists():
                problems.append(f"{path.relative_to(root)}: no file {target}")
            elif anchor and there.suffix == ".md" and anchor not in anchors(there):
                problems.append(f"{path.relative_to(root)}: no heading {target}")
    return problems


def anchors(path: Path) -> set[str]:
    """What code hosts call a document's headings: small letters, no punctuation, hyphens."""
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r'(?:id|name)="([^"]+)"', text))
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        kept = (c for c in plain if c in " -_" or unicodedata.category(c)[0] in "LN")
        named.add("".join(kept).replace(" ", "-"))
    return named


def wrong_commands(root: Path, cli: click.Command) -> list[str]:
    """`yiku …` lines of shell blocks whose command or option doesn't exist."""
    problems: list[str] = []
    for path in documents(root):
        for block in blocks(path):
            for line in shell_lines(block):
                for found in COMMAND.finditer(line):
                    if problem := wrong_command(found["words"], cli):
                        problems.append(f"{path.relative_to(root)}:{block.line}: {problem}")
    return problems


def shell_lines(block: Block) -> Iterator[str]:
    """Command lines: after `$ ` where output is shown too, else every line."""
    code = block.code.replace("\\\n", " ")
    match block.language:
        case "console":
            yield from (line[2:] for line in code.splitlines() if line.startswith("$ "))
        case "bash" | "sh" | "shell":
            yield from (line.removeprefix("$ ") for line in code.splitlines())
        case _:
            return


def wrong_command(words: str, command: click.Command) -> str | None:
    """What is wrong with the words after `yiku`; None: they name a command and its options."""
    context = click.Context(command, info_name="yiku")
    rest = split(words)
    while rest:
        word = rest.pop(0)
        if word == "--":  # what follows is no option of ours
            return None
        if word.startswith("-") and word != "-":
            name, _, value = word.partition("=")
            option = options(context).get(name)
            if option is None:
                return f"`{context.command_path}` has no option {name}"
            takes_value = isinstance(option, click.Option) and not (option.is_flag or option.count)
            if takes_value and not value:
                rest = rest[1:]
        elif isinstance(context.command, click.Group):
            chosen = context.command.get_command(context, word)
            if chosen is None:
                return f"`{context.command_path}` has no command {word}"
            context = click.Context(chosen, info_name=word, parent=context)
    return None


def options(context: click.Context) -> dict[str, click.Parameter]:
    parameters = context.command.get_params(context)
    return {name: p for p in parameters for name in (*p.opts, *p.secondary_opts)}


def split(words: str) -> list[str]:
    try:
        return shlex.split(words, comments=True)
    except ValueError:  # a quote that closes on another line
        return words.split()


def missing_commands(reference: Path, cli: click.Command) -> list[str]:
    text = reference.read_text(encoding="utf-8")
    context = click.Context(cli, info_name="yiku")
    return [
        f"{reference.name}: `{name}` isn't described"
        for name in command_names(context)
        if not re.search(rf"{re.escape(name)}(?![\w-])", text)
    ]


def command_names(context: click.Context) -> Iterator[str]:
    """`yiku add`, `yiku archive list` …: every command that isn't hidden."""
    if not isinstance(context.command, click.Group):
        yield context.command_path
        return
    for name in context.command.list_commands(context):
        command = context.command.get_command(context, name)
        if command is not None and not command.hidden:
            yield from command_names(click.Context(command, info_name=name, parent=context))


def missing_settings(reference: Path, variables: set[str]) -> list[str]:
    described = set(re.findall(r"`(YIKU_\w+)`", reference.read_text(encoding="utf-8")))
    return [f"{reference.name}: `{name}` isn't described" for name in sorted(variables - described)]


FOR_TOOLS = {"YIKU_IDEMPOTENCY_KEY"}
"""What the code of custom tools finds in its environment: no settings."""


def unknown_settings(root: Path, variables: set[str]) -> list[str]:
    """Variables that the README or a page of docs names, and nothing reads."""
    pages = [
        path
        for path in documents(root)
        if path.name.startswith("README") or path.is_relative_to(root / "docs")
    ]
    return [
        f"{path.relative_to(root)}: there is no setting {name}"
        for path in pages
        for name in sorted(set(re.findall(r"\bYIKU_[A-Z][A-Z_]*[A-Z]\b", path.read_text("utf-8"))))
        if name not in variables | FOR_TOOLS
    ]


def setting_variables() -> set[str]:
    from yiku.settings import Settings

    prefix = Settings.model_config.get("env_prefix", "")
    return {f"{prefix}{name}".upper() for name in Settings.model_fields}


def client_variables(cli: click.Command) -> set[str]:
    """What the command line itself reads from the environment."""
    return {p.envvar for p in cli.params if isinstance(p.envvar, str)}


def problems(root: Path = ROOT) -> list[str]:
    from yiku.cli.main import main

    variables = setting_variables()
    return [
        *broken_links(root),
        *wrong_commands(root, main),
        *missing_commands(root / "docs/reference/cli.md", main),
        *missing_settings(root / "docs/reference/settings.md", variables),
        *unknown_settings(root, variables | client_variables(main)),
    ]


if __name__ == "__main__":
    found = problems()
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(1 if found else 0)
