"""Memory skills as files: Markdown with front matter in YAML, then the template.

---
name: fact_extraction
kind: encoding
description:
  en: Extracts facts.
  zh: 提取事实。
intent_keywords: [works at, 邮箱]
---
Template in Jinja2 …
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeGuard, cast, get_args

from yiku.core.errors import InvalidSkill
from yiku.core.language import Language, language_of
from yiku.core.skill import SkillDraft, SkillType
from yiku.memory.skills import template

if TYPE_CHECKING:  # loaded when a file is read
    import yaml

logger = logging.getLogger(__name__)

BASE = Path(__file__).parent / "base"
SUFFIX = ".md"
FENCE = "---"
MAX_FILE = 65_536
"""Bytes."""
MAX_NAME = 64
NAME = re.compile(r"[a-z][a-z0-9_]*")
MAX_KEYWORDS = 200
MAX_KEYWORD = 64
MAX_DESCRIPTION = 1_000
LANGUAGES = get_args(Language)
FIELDS = ("name", "kind", "description", "intent_keywords")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a folder holds. A file that can't be used is a problem, and keeps no other from use."""

    drafts: tuple[SkillDraft, ...]
    problems: tuple[str, ...]


def read(path: Path) -> SkillDraft:
    """Raises: InvalidSkill, with file, line and rule."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE + 1)
    except OSError as error:
        refuse(str(path), 1, "file", f"it can't be read: {error.strerror}")
    if len(raw) > MAX_FILE:
        refuse(str(path), 1, "size", f"it has more than {MAX_FILE:,} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        refuse(str(path), line, "encoding", "it isn't UTF-8")
    return parse(text, str(path))


def taken(path: Path, words: str) -> str:
    """What is said of a file whose skill's name another skill has: with file, line and rule."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    line = next((n for n, one in enumerate(lines, 1) if one.startswith("name")), 1)
    return f"{path}:{line}: {words} (rule name-taken)"


def parse(text: str, source: str = "") -> SkillDraft:
    """The same of a file's text. Raises: InvalidSkill."""
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != FENCE:
        refuse(source, 1, "front-matter", f"a skill's file begins with front matter: `{FENCE}`")
    try:
        end = next(n for n, line in enumerate(lines[1:], 1) if line.rstrip() == FENCE)
    except StopIteration:
        refuse(source, 1, "front-matter", f"the front matter isn't closed by a line `{FENCE}`")
    told = front_matter("\n".join(lines[1:end]), source)
    body = lines[end + 1 :]
    skipped = next((n for n, line in enumerate(body) if line.strip()), 0)
    draft = SkillDraft(**told, prompt_template="\n".join(body[skipped:]).rstrip())
    template.check(draft, source, first_line=end + 2 + skipped)
    return draft


def check(draft: SkillDraft, source: str = "") -> SkillDraft:
    """What doesn't come from a file is held to the same rules. Raises: InvalidSkill."""
    values = {
        "name": draft.name,
        "description": dict(draft.description),
        "intent_keywords": list(draft.intent_keywords),
    }
    told = checked(values, dict.fromkeys(FIELDS, 1), source)
    made = SkillDraft(
        **told, skill_type=draft.skill_type, prompt_template=draft.prompt_template.strip("\n")
    )
    template.check(made, source)
    return made


def front_matter(text: str, source: str) -> dict[str, Any]:
    """A draft's fields, but for the template. Raises: InvalidSkill."""
    values, lines = values_of(text, source)
    kinds = [kind.value for kind in SkillType]
    for name in ("name", "kind", "description"):
        if name not in values:
            refuse(source, 1, "field", f"the front matter has no `{name}`")
    if values["kind"] not in kinds:
        words = f"`kind` is one of {', '.join(kinds)}"
        refuse(source, lines["kind"], "kind", words)
    told = checked(values, lines, source)
    return told | {"skill_type": SkillType(values["kind"])}


def values_of(text: str, source: str) -> tuple[dict[str, Any], dict[str, int]]:
    """The fields, and the line of the file that each begins on. Raises: InvalidSkill."""
    import yaml

    loader: Any = None  # its stubs leave some types open
    try:
        loader = yaml.SafeLoader(text)
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            refuse(source, 1, "yaml", "the front matter has an alias (`*`), which it can't")
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            refuse(source, 1, "yaml", "the front matter is no mapping of fields to values")
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in root.value:
            name, line = name_of(key), key.start_mark.line + 2
            if name not in FIELDS:
                there = ", ".join(f"`{one}`" for one in FIELDS)
                refuse(source, line, "field", f"there is no field `{name:.40}`: {there}")
            if name in values:
                refuse(source, line, "field", f"`{name}` is there twice")
            values[name], lines[name] = loader.construct_object(value, deep=True), line
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = 1 if mark is None else mark.line + 2
        refuse(source, line, "yaml", f"the front matter is no YAML: {error.problem}")
    # Control characters; brackets in brackets; dates and numbers that are none.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        refuse(source, 1, "yaml", f"the front matter is no YAML: {str(error).splitlines()[0]}")
    finally:
        if loader is not None:
            loader.dispose()
    return values, lines


def name_of(key: yaml.Node) -> str:
    value: Any = key.value
    return value if isinstance(value, str) else "?"


def checked(values: Mapping[str, Any], lines: Mapping[str, int], source: str) -> dict[str, Any]:
    """Name, description and keywords, as a draft has them. Raises: InvalidSkill."""
    name = values["name"]
    if not isinstance(name, str) or len(name) > MAX_NAME or not NAME.fullmatch(name):
        words = f"`name` is up to {MAX_NAME} small letters, digits and `_`, a letter first"
        refuse(source, lines["name"], "name", words)
    return {
        "name": name,
        "description": description_of(values["description"], lines["description"], source),
        "intent_keywords": keywords_of(
            values.get("intent_keywords"), lines.get("intent_keywords", 1), source
        ),
    }


def description_of(value: Any, line: int, source: str) -> dict[str, str]:
    given = {language_of([value]): value} if isinstance(value, str) else by_language(value)
    texts = [] if given is None else list(given.values())
    if not (given and texts_only(texts) and all(one.strip() for one in texts)):
        words = f"`description` is a text, or one for each language ({', '.join(LANGUAGES)})"
        refuse(source, line, "description", words)
    if max(map(len, texts)) > MAX_DESCRIPTION:
        words = f"`description` has more than {MAX_DESCRIPTION:,} characters"
        refuse(source, line, "description", words)
    return {key: one.strip() for key, one in given.items()}


def keywords_of(value: Any, line: int, source: str) -> tuple[str, ...]:
    parts = by_language(value)
    lists: list[Any] = [value or []] if parts is None else list(parts.values())
    given: list[str] = []
    for one in lists:
        if not texts_only(one):
            words = "`intent_keywords` is a list of texts, or one for each language"
            refuse(source, line, "intent_keywords", words)
        given += one
    kept = tuple(dict.fromkeys(word for word in map(str.strip, given) if word))
    if len(kept) > MAX_KEYWORDS or any(len(word) > MAX_KEYWORD for word in kept):
        words = f"`intent_keywords` are {MAX_KEYWORDS} at most, of {MAX_KEYWORD} characters at most"
        refuse(source, line, "intent_keywords", words)
    return kept


def by_language(value: Any) -> dict[str, Any] | None:
    """A mapping from our languages; None where it is anything else."""
    if not isinstance(value, dict):
        return None
    given = cast("dict[Any, Any]", value)
    return given if all(key in LANGUAGES for key in given) else None


def texts_only(value: Any) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in cast("list[Any]", value))


def refuse(source: str, line: int, rule: str, words: str) -> NoReturn:
    where = f"{source}:{line}" if source else f"line {line}"
    raise InvalidSkill(f"{where}: {words} (rule {rule}).", file=source, line=line, rule=rule)


def write(draft: SkillDraft) -> str:
    """The file that reads as this draft."""
    import yaml

    told = {
        "name": draft.name,
        "kind": draft.skill_type.value,
        "description": dict(draft.description),
        "intent_keywords": list(draft.intent_keywords),
    }
    front = yaml.safe_dump(told, allow_unicode=True, sort_keys=False, width=100)
    return f"{FENCE}\n{front}{FENCE}\n{draft.prompt_template}\n"


def skill_files(folder: Path) -> list[Path]:
    """By name; hidden ones and a README are no skills."""
    if not folder.is_dir():
        return []
    return sorted(
        one
        for one in folder.iterdir()
        if one.suffix == SUFFIX
        and not one.name.startswith((".", "_"))
        and one.stem.lower() != "readme"
        and one.is_file()
    )


def load(folder: Path, taken: Mapping[str, str] | None = None) -> Loaded:
    """All skills of a folder; `taken`: names that others have, and where."""
    drafts: list[SkillDraft] = []
    problems: list[str] = []
    held = dict(taken or {})
    for path in skill_files(folder):
        try:
            draft = read(path)
            if draft.name in held:
                words = f"the name {draft.name!r} is taken by {held[draft.name]}"
                refuse(str(path), 2, "name-taken", words)
        except InvalidSkill as error:
            problems.append(error.message)
            continue
        held[draft.name] = str(path)
        drafts.append(draft)
    return Loaded(tuple(drafts), tuple(problems))


@lru_cache(maxsize=1)
def base() -> tuple[SkillDraft, ...]:
    """Those that come with Yiku."""
    loaded = load(BASE)
    if loaded.problems:
        raise InvalidSkill(loaded.problems[0])
    return loaded.drafts


Stamp = tuple[tuple[str, int, int], ...]


class Shelf:
    """The base skills and those of the user's folder, read again when a file of it changes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.edition = 0
        """Counts how often it was read."""
        self._stamp: Stamp | None = None
        self._loaded = Loaded((), ())

    def loaded(self) -> Loaded:
        stamp = stamp_of(self.folder)
        if stamp != self._stamp:
            ours = base()
            own = load(self.folder, {one.name: "one of Yiku's own skills" for one in ours})
            for problem in own.problems:
                logger.warning("a memory skill's file can't be used: %s", problem)
            self._loaded = Loaded((*ours, *own.drafts), own.problems)
            self._stamp = stamp
            self.edition += 1
        return self._loaded


def stamp_of(folder: Path) -> Stamp:
    found: list[tuple[str, int, int]] = []
    for path in skill_files(folder):
        try:
            seen = path.stat()
        except OSError:  # it has gone this moment
            continue
        found.append((path.name, seen.st_mtime_ns, seen.st_size))
    return tuple(found)
