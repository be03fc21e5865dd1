"""Prompt templates of memory skills: a small, safe part of Jinja2.

Templates come from users and from a model. So what isn't known to be harmless is refused before
anything of it runs: a walk over the parsed template allows our variables, texts, comparisons, `if`,
and a loop over what is known; no calls, no attributes but a known memory's, no arithmetic. They run
in Jinja2's sandbox all the same, with no globals, and their output is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from yiku.core.errors import InvalidSkill
from yiku.core.skill import SkillDraft, SkillType

if TYPE_CHECKING:  # loaded when first used: it takes a tenth of a second
    from jinja2 import nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_TEMPLATE = 8_000
"""Characters."""
MAX_RENDERED = 200_000
MAX_DEPTH = 40
"""Of the parsed template."""

NEEDED: Mapping[SkillType, str] = {SkillType.ENCODING: "content", SkillType.RETRIEVAL: "query"}
ALLOWED: Mapping[SkillType, tuple[str, ...]] = {
    SkillType.ENCODING: ("content", "known", "language", "now"),
    SkillType.RETRIEVAL: ("query", "language", "now"),
}
LOOPED = "known"
OF_KNOWN = ("id", "text", "at")
OF_LOOP = ("index", "index0", "first", "last", "length")
FILTERS = ("trim", "lower", "upper", "length", "truncate", "default")
TESTS = ("defined", "none")

PLAIN = "Template Output TemplateData If CondExpr Compare Operand Not And Or Keyword".split()
"""Nodes that need no look of their own."""
WORDS: Mapping[str, str] = {
    "Call": "calls",
    "CallBlock": "`call` blocks",
    "Getitem": "subscripts",
    "Assign": "`set`",
    "AssignBlock": "`set`",
    "NSRef": "namespaces",
    "Include": "`include`",
    "Import": "`import`",
    "FromImport": "`import`",
    "Extends": "`extends`",
    "Block": "`block`",
    "Macro": "macros",
    "FilterBlock": "`filter` blocks",
    "With": "`with`",
    "Scope": "`autoescape`",
    "List": "lists",
    "Dict": "dictionaries",
    "Tuple": "tuples",
    "Concat": "joining with `~`",
}
ASKING = ("If", "CondExpr", "Not", "And", "Or")
"""In these, `known` asks whether anything is known."""
PROBE = "⟦7391 旧 old⟧"


class Refused(Exception):
    """A template, for a rule, on a line of it."""

    def __init__(self, line: int, rule: str, words: str) -> None:
        self.line, self.rule, self.words = line, rule, words
        super().__init__(words)


def check(draft: SkillDraft, source: str = "", first_line: int = 1) -> None:
    """Whether the draft's template can be used.

    `source`: the file it is from, `first_line`: where in it the template begins; without a file,
    lines are the template's own. Raises: InvalidSkill, with file, line and rule.
    """
    try:
        names = ALLOWED[draft.skill_type]
        needed = NEEDED[draft.skill_type]
        demand_used(draft.prompt_template, draft.skill_type)
        for language in ("en", "zh"):
            for known in ((), ({"id": "passage-1", "text": PROBE, "at": "2026-01-01"},)):
                values = {"content": PROBE, "query": PROBE, "known": known}
                values |= {"language": language, "now": "2026-01-01T12:00:00Z"}
                shown = rendered(draft.prompt_template, {name: values[name] for name in names})
                values[needed] = ""
                without = rendered(draft.prompt_template, {name: values[name] for name in names})
                if shown.count(PROBE) <= without.count(PROBE):
                    raise Refused(
                        1,
                        "needed-variable",
                        f"`{needed}` isn't shown whole where `language` is {language!r} and"
                        f" {'nothing' if not known else 'something'} is known: each branch of the"
                        f" template must hold {{{{ {needed} }}}}",
                    )
    except Refused as refused:
        raise_invalid(draft.name, refused, source, first_line)


def raise_invalid(name: str, refused: Refused, source: str, first_line: int) -> NoReturn:
    line = refused.line + first_line - 1
    where = f"{source}:{line}" if source else f"the template of {name!r}, line {line}"
    raise InvalidSkill(
        f"{where}: {refused.words} (rule {refused.rule}).",
        file=source,
        line=line,
        rule=refused.rule,
        name=name,
    ) from refused


def render(template: str, variables: Mapping[str, Any]) -> str:
    """What a model is asked. `variables`: all that the skill's kind has; `known` is a sequence of
    mappings with `id`, `text` and `at`. Raises: InvalidSkill.
    """
    try:
        return rendered(template, variables)
    except Refused as refused:
        raise_invalid("", refused, "", 1)


def rendered(template: str, variables: Mapping[str, Any]) -> str:
    """Raises: Refused."""
    from jinja2 import TemplateError

    parts: list[str] = []
    length = 0
    try:
        for part in compiled(template, tuple(sorted(variables))).generate(**plain(variables)):
            parts.append(part)
            length += len(part)
            if length > MAX_RENDERED:
                raise Refused(
                    1, "rendered-size", f"it renders to more than {MAX_RENDERED:,} characters"
                )
    except TemplateError as error:
        raise Refused(1, "render", f"it can't be rendered: {error.message}") from error
    # Comparing a text with a number, or a filter's argument: what Python says of it.
    except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise Refused(1, "render", f"it can't be rendered: {error}") from error
    return "".join(parts)


def plain(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Texts and dictionaries of texts alone: nothing that a template could reach on from."""
    given: dict[str, Any] = {name: str(value) for name, value in variables.items()}
    if LOOPED in variables:
        known: Sequence[Mapping[str, Any]] = variables[LOOPED]
        given[LOOPED] = [{name: str(one[name]) for name in OF_KNOWN} for one in known]
    return given


@lru_cache(maxsize=64)
def compiled(template: str, names: tuple[str, ...]) -> Any:
    """Raises: Refused."""
    from jinja2 import TemplateSyntaxError

    tree = parsed(template)
    Walk(names).go(tree, frozenset(), 0)
    try:
        return environment().from_string(tree)
    except TemplateSyntaxError as error:
        raise Refused(error.lineno, "syntax", f"it is no Jinja2: {error.message}") from error
    # Python's own compiler has limits, too: blocks in blocks, numbers of many digits.
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(1, "syntax", f"it can't be compiled: {error}") from error


@lru_cache(maxsize=1)
def environment() -> ImmutableSandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    made = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, cache_size=0
    )
    made.globals.clear()
    for there, kept in ((made.filters, FILTERS), (made.tests, TESTS)):
        for name in there.keys() - set(kept):
            del there[name]
    return made


def parsed(template: str) -> nodes.Template:
    """Raises: Refused."""
    from jinja2 import TemplateSyntaxError

    if len(template) > MAX_TEMPLATE:
        raise Refused(
            1, "size", f"it has {len(template):,} characters, and {MAX_TEMPLATE:,} are allowed"
        )
    if not template.strip():
        raise Refused(1, "empty", "there is no template")
    try:
        return environment().parse(template)
    except TemplateSyntaxError as error:
        raise Refused(error.lineno, "syntax", f"it is no Jinja2: {error.message}") from error
    except (
        ValueError,
        RecursionError,
        MemoryError,
    ) as error:  # numbers of many digits, parentheses
        raise Refused(1, "syntax", f"it can't be read: {error}") from error


def demand_used(template: str, kind: SkillType) -> None:
    """Raises: Refused where the variable that a skill is for is nowhere in it."""
    from jinja2 import nodes

    compiled(template, tuple(sorted(ALLOWED[kind])))
    needed = NEEDED[kind]
    if not any(one.name == needed for one in parsed(template).find_all(nodes.Name)):
        raise Refused(
            1,
            "needed-variable",
            f"a skill of the kind {kind.value!r} needs the variable `{needed}`: write"
            f" {{{{ {needed} }}}} where it belongs",
        )


class Walk:
    """Goes through a parsed template, and raises Refused at the first node that isn't allowed."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def go(self, node: nodes.Node, inner: frozenset[str], depth: int) -> None:
        """`inner`: the variables of the loop that it stands in."""
        if depth > MAX_DEPTH:
            refuse(node, "depth", "it is nested too deeply")
        kind = type(node).__name__
        own = getattr(self, f"of_{kind.lower()}", None)
        if own is not None:
            own(node, inner, depth)
            return
        if kind not in PLAIN:
            refuse(node, "statement", f"{WORDS.get(kind, f'`{kind.lower()}`')} can't be used here")
        self.children(node, inner, depth)

    def children(self, node: nodes.Node, inner: frozenset[str], depth: int) -> None:
        asks = type(node).__name__ in ASKING
        for child in node.iter_child_nodes():
            if not (asks and self.is_known(child)):
                self.go(child, inner, depth + 1)

    def is_known(self, node: nodes.Node) -> bool:
        return LOOPED in self.names and getattr(node, "name", None) == LOOPED

    def of_name(self, node: nodes.Name, inner: frozenset[str], depth: int) -> None:
        if self.is_known(node):
            refuse(node, "known", f"`{LOOPED}` is a list: loop over it")
        if node.name not in self.names and node.name not in inner - {"loop"}:
            there = ", ".join(f"`{one}`" for one in (*self.names, *sorted(inner - {"loop"})))
            refuse(node, "unknown-variable", f"there is no variable `{node.name}`: {there}")

    def of_const(self, node: nodes.Const, inner: frozenset[str], depth: int) -> None:
        # Jinja2 writes a number into Python as it prints: an endless one is no number there.
        value: Any = node.value
        if isinstance(value, float) or (isinstance(value, int) and value > MAX_RENDERED):
            refuse(node, "number", f"numbers are whole, and {MAX_RENDERED:,} at most")

    def of_getattr(self, node: nodes.Getattr, inner: frozenset[str], depth: int) -> None:
        of = getattr(node.node, "name", None)
        if of not in inner:
            refuse(node, "attribute", f"`.{node.attr}` can't be reached from here")
        allowed = OF_LOOP if of == "loop" else OF_KNOWN
        if node.attr not in allowed:
            there = ", ".join(f"`{of}.{one}`" for one in allowed)
            refuse(node, "attribute", f"there is no `{of}.{node.attr}`: {there}")

    def of_for(self, node: nodes.For, inner: frozenset[str], depth: int) -> None:
        each = getattr(node.target, "name", None)
        if inner:
            refuse(node, "loop", "a loop can't stand in another")
        if not self.is_known(node.iter):
            what = f"`{LOOPED}` alone" if LOOPED in self.names else "nothing here"
            refuse(node, "loop", f"{what} can be looped over")
        if node.recursive:
            refuse(node, "loop", "a loop can't be recursive")
        if each is None or each.startswith("_") or each in (*self.names, "loop"):
            refuse(node, "loop", "a loop has one variable, with a name of its own")
        for child in (*node.body, *([] if node.test is None else [node.test])):
            self.go(child, frozenset({each, "loop"}), depth + 1)
        for child in node.else_:
            self.go(child, inner, depth + 1)

    def of_filter(self, node: nodes.Filter, inner: frozenset[str], depth: int) -> None:
        if node.name not in FILTERS or node.node is None or node.dyn_args or node.dyn_kwargs:
            refuse(node, "filter", f"the filter `{node.name}` can't be used: {', '.join(FILTERS)}")
        if not (node.name == "length" and self.is_known(node.node)):
            self.children(node, inner, depth)

    def of_test(self, node: nodes.Test, inner: frozenset[str], depth: int) -> None:
        if node.name not in TESTS:
            refuse(node, "test", f"the test `{node.name}` can't be used: {', '.join(TESTS)}")
        self.children(node, inner, depth)


def refuse(node: nodes.Node, rule: str, words: str) -> NoReturn:
    raise Refused(line_of(node), rule, words)


def line_of(node: nodes.Node) -> int:
    """Some nodes have no line of their own; what stands in them has."""
    own: int | None = node.lineno
    inside = (line_of(child) for child in node.iter_child_nodes())
    return own or next(inside, 1)
