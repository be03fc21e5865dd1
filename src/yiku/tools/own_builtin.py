"""Tools for what isn't memory: speaking, running code, the web."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from yiku.core.errors import InvalidTool, SandboxUnavailable
from yiku.core.tenant import Scope
from yiku.core.tool import Code, Ran, Returned, ToolType
from yiku.store.database import Tx, demand
from yiku.tools.desk import TEXT, TEXTS, Desk, OwnTool, Param
from yiku.tools.registry import reason
from yiku.tools.sandbox import NoSandbox

PYTHON = ("python", "python3", "py")

SESSION = """
def run(code):
    import ast
    import linecache
    linecache.cache["<code>"] = (len(code), None, code.splitlines(keepends=True), "<code>")
    tree = ast.parse(code, "<code>")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    names = {"__name__": "__main__"}
    exec(compile(tree, "<code>", "exec"), names)
    if last is None:
        return None
    value = eval(compile(ast.Expression(last.value), "<code>", "eval"), names)
    return None if value is None else repr(value)
"""
"""As an interactive session does it: the value of the last expression is told."""
OUR_FRAME = re.compile(r'  File "<tool>", line \d+, in run\n(    .*\n(    [\^~ ]+\n)?)?')


def send_message(tx: Tx, desk: Desk, given: Mapping[str, Any]) -> str:
    """The door shows the message as the assistant's own."""
    return desk.words["sent"]


async def run_code(desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: InvalidTool, SandboxUnavailable."""
    language = given.get("language", "python")
    if language.lower() not in PYTHON:
        raise InvalidTool(
            f"run_code runs Python only, not {language!r:.40}. Write it in Python, or let the user"
            " run it.",
            zh=f"run_code 只能运行 Python，不能运行 {language!r:.40}。"
            "请改用 Python，或让用户自己运行。",
        )
    demand(desk.actor, Scope.WRITE)
    ran = await ran_code(desk, given["code"])
    told = [ran.stdout.rstrip("\n"), f"stderr:\n{ran.stderr.rstrip()}" if ran.stderr else ""]
    if not isinstance(ran.outcome, Returned):
        why = OUR_FRAME.sub("", reason(ran, desk.language))
        raise InvalidTool("\n".join(filter(None, [*told, why])))
    value = ran.outcome.value
    told.append("" if value is None else str(value))
    return "\n".join(filter(None, told)) or desk.words["silent"]


async def ran_code(desk: Desk, code: str) -> Ran:
    """In the sandbox, or where there can be none in the portable interpreter.

    It sees none of the agent's secrets: a page that the model has read may have told it to print
    them. Raises: SandboxUnavailable.
    """
    box, portable = desk.toolbox.sandbox, desk.toolbox.portable
    call = Code(source=SESSION, function="run", arguments={"code": code})
    try:
        return await box.run(call)
    except SandboxUnavailable as error:
        if isinstance(box, NoSandbox):
            raise
        if portable is None:
            raise SandboxUnavailable(
                f"{error.message} Or install the portable interpreter, which knows less of Python:"
                " pip install 'yiku[monty]'."
            ) from error
        return await portable.run(code)


async def web_search(desk: Desk, given: Mapping[str, Any]) -> str:
    """What was found, as JSON. Raises: InvalidTool, Invalid, ProviderUnavailable."""
    from yiku.tools.web_search import SHORT, search  # an HTTP client, which few programs ever need

    engine = desk.toolbox.web
    if engine is None:
        raise InvalidTool(
            "There is no web search here: no search provider is configured on this server. Whoever"
            " runs it can set YIKU_SEARCH_PROVIDER and YIKU_SEARCH_API_KEY. If you know a page's"
            " address, fetch_webpage reads it. Don't try web_search again; tell the user.",
            zh="这里不能搜索网页：服务器没有配置搜索服务。运行服务器的人可以设置"
            " YIKU_SEARCH_PROVIDER 和 YIKU_SEARCH_API_KEY。"
            "如果知道网页地址，可用 fetch_webpage 读取。不要再试 web_search，请告诉用户。",
        )
    demand(desk.actor, Scope.WRITE)
    found = await search(engine, given)
    longest = None if given.get("include_text") else SHORT
    rows = [
        {"title": one.title, "url": one.url, "text": one.text[:longest], "published": one.date}
        for one in found
    ]
    told = {"query": given["query"], "results": rows}
    return json.dumps(told, ensure_ascii=False)


async def fetch_webpage(desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: Invalid."""
    # An HTTP client, which few programs ever need.
    from yiku.tools.outside import anywhere, is_public
    from yiku.tools.page import fetch

    demand(desk.actor, Scope.WRITE)
    allowed = anywhere if desk.toolbox.fetch_private else is_public
    page = await fetch(given["url"], allowed=allowed)
    head = f"{page.title}\n{page.url}" if page.title else page.url
    return f"{head}\n\n{page.text or desk.words['no_text']}"


SEARCHED_BY: tuple[tuple[str, Mapping[str, Any], str, str], ...] = (
    (
        "include_text",
        {"type": "boolean", "default": False},
        "More than an excerpt of each page, where the provider has it.",
        "返回比摘录更多的网页内容（如果搜索服务支持）。",
    ),
    ("include_domains", TEXTS, "Only these domains.", "只搜索这些域名。"),
    ("exclude_domains", TEXTS, "None of these domains.", "排除这些域名。"),
    (
        "category",
        TEXT,
        "What kind of pages, where the provider knows kinds: news, research paper …",
        "网页类别（如果搜索服务支持）：news、research paper 等。",
    ),
    (
        "start_published_date",
        TEXT,
        "Published after this moment (ISO 8601), where the provider knows.",
        "在此时间之后发布（ISO 8601，如果搜索服务支持）。",
    ),
    (
        "end_published_date",
        TEXT,
        "Published before this moment (ISO 8601), where the provider knows.",
        "在此时间之前发布（ISO 8601，如果搜索服务支持）。",
    ),
    (
        "user_location",
        TEXT,
        "The user's country, by its two letters, where the provider asks.",
        "用户所在国家的两字母代码（如果搜索服务支持）。",
    ),
)
"""Names and meanings are v1's."""

TOOLS = (
    OwnTool(
        name="send_message",
        tool_type=ToolType.CORE,
        en="Send a message to the user. Only what you send so is shown to them.",
        zh="向用户发送一条消息。只有这样发送的内容用户才能看到。",
        params=(
            Param(
                name="message",
                schema=TEXT,
                en="What to say. Any language, emoji too.",
                zh="消息内容,任何语言均可,也可用表情符号。",
            ),
        ),
        deed=send_message,
    ),
    OwnTool(
        name="run_code",
        tool_type=ToolType.BUILTIN,
        en="Run Python code in a sandbox, without files, network or packages of your own; each call"
        " begins anew. You are told what it prints, and the value of a last line that is an"
        " expression.",
        zh="在沙箱中运行 Python 代码:没有文件、网络和额外的软件包,每次调用都从头开始。"
        "返回打印的内容,以及最后一行表达式的值。",
        params=(
            Param(name="code", schema=TEXT, en="The code.", zh="代码。"),
            Param(
                name="language",
                schema={"type": "string", "default": "python"},
                en="Python is the only language there is.",
                zh="只支持 python。",
                required=False,
            ),
        ),
        action=run_code,
        parallel=True,
    ),
    OwnTool(
        name="web_search",
        tool_type=ToolType.BUILTIN,
        en="Search the web. It needs a search provider, which this server may not have.",
        zh="搜索网页。需要服务器配置了搜索服务才能使用。",
        params=(
            Param(name="query", schema=TEXT, en="What to search for.", zh="要搜索的内容。"),
            Param(
                name="num_results",
                schema={"type": "integer", "default": 10, "minimum": 1, "maximum": 100},
                en="How many results.",
                zh="结果数量。",
                required=False,
            ),
            *(
                Param(name=name, schema=schema, en=en, zh=zh, required=False)
                for name, schema, en, zh in SEARCHED_BY
            ),
        ),
        action=web_search,
        parallel=True,
    ),
    OwnTool(
        name="fetch_webpage",
        tool_type=ToolType.BUILTIN,
        en="Read a web page: its text, with headings, lists and links.",
        zh="读取网页:返回正文文本,包括标题、列表和链接。",
        params=(
            Param(
                name="url",
                schema=TEXT,
                en="The page's address, with https:// or http://.",
                zh="网页地址,以 https:// 或 http:// 开头。",
            ),
        ),
        action=fetch_webpage,
        parallel=True,
    ),
)
