"""A language model for `skill_evolution.py`: as good as the prompt it is given, and no better.

It speaks OpenAI's API over HTTP. What it answers follows from the words of the request alone, by
the rules below, never from how often it was asked: the same prompt always gets the same answer.

- Told to be brief, it leaves figures out, unless the prompt tells it to copy every number; told to
  write one word, it writes one.
- As an agent it saves what it is told, looks up what it is asked, and says what it has found: only
  what stands in a memory, and that it doesn't know where no memory answers.
- As a Designer it compares what went in with what came out. `hasty` thinks that memories are too
  long; `careful` sees that figures are lost, and has them copied.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COPY = "Copy every number, date and time exactly as it stands."
"""What a careful Designer adds."""
MARKED = re.compile(r"<(data_\w+)>\n(.*?)\n</\1>", re.DOTALL)
KNOWN = re.compile(r"^- \[(k\d+)\] (.*)$", re.MULTILINE)
TEMPLATE = re.compile(r"```\n(.*?)\n```", re.DOTALL)
CASE = re.compile(r"^ +(?:input|输入): ⟦(.*)⟧\n +(?:made of it|写成了): ⟦(.*)⟧$", re.MULTILINE)
LISTED = re.compile(r"^\d+\. .*(passage-[0-9a-f-]{36})\n\s+(.*)$", re.MULTILINE)

FIGURE = re.compile(
    r" ?(?:\b(?:on|at|for) )?(?:number )?[!-~]*\d[!-~]*(?: (?:euros|kilos|points|March))?"
    r"[号元点]?"
)
WANTS_FIGURE = re.compile(r"\bhow (?:much|many)\b|\bwhen\b|\bnumber\b|\bsize\b|多少", re.I)
LEAD = re.compile(r"^(?:Note: |记一下：|No, that's wrong: )")
SMALL = frozenset(
    "the a an is are was my your i you to of in on at for what when where who which how much many"
    " does do has have it that user".split()
)
WORD = re.compile(r"[a-z]+|[\u3400-\u9fff]")
ASKING = frozenset("我的你用户是在多少几什么时候哪里谁吗呢有")


def figures(text: str) -> int:
    return len(re.findall(r"\d+", text))


def subject(text: str) -> set[str]:
    """The words that say what it is about."""
    return set(WORD.findall(text.lower().replace("'s", ""))) - SMALL - ASKING


# --- As the model of a memory skill -------------------------------------------------------------


def remembered(told: str) -> str:
    """What it makes of the text in a skill's prompt, as operations."""
    found = MARKED.search(told)
    content = found[2] if found else ""
    order = MARKED.sub("", told).lower()
    plain = LEAD.sub("", content)
    text = re.sub(r"^my ", "The user's ", plain, flags=re.I).replace("我的", "用户的")
    if "in one word" in order:
        text = re.sub(r"^(?:The user's |用户的)", "", text).split()[0]
        text = text if text.isascii() else text[:1]
    elif "in a few words" in order and "every number" not in order:
        text = FIGURE.sub("", text)
    text = text.strip()
    operation = {"op": "add", "text": text}
    if content.startswith("No, that's wrong"):
        known = KNOWN.findall(told)
        near = [alias for alias, memory in known if subject(memory) <= subject(plain)]
        if near:
            operation = {"op": "supersede", "target": near[0], "text": text}
    return json.dumps({"operations": [operation]}, ensure_ascii=False)


# --- As a Designer ------------------------------------------------------------------------------


def proposed(told: str, temper: str) -> str:
    """A better prompt than the one it is shown, as it sees it."""
    found = TEMPLATE.search(told)
    template = found[1] if found else ""
    cases = CASE.findall(told)
    lost = sum(figures(text) > figures(made) for text, made in cases)
    if temper == "hasty":
        analysis = "The memories are long."
        reason, better = "One word is enough.", template.replace("in a few words", "in one word")
    elif lost > 1:
        analysis = f"In {lost} of {len(cases)} cases the text has figures and the memory hasn't."
        reason = "Figures are to be copied; all else stays."
        better = re.sub(r"(?=\{\{ content \}\})", f"{COPY}\n", template, count=1)
    else:
        analysis, reason, better = "Nothing is common to the cases.", "Nothing changes.", template
    return json.dumps({"analysis": analysis, "reason": reason, "prompt_template": better})


# --- As an agent --------------------------------------------------------------------------------


def answered(question: str, memories: list[str]) -> str:
    """What the memory that is nearest to the question says."""
    asked = subject(question)
    best = max(memories, key=lambda one: len(subject(one) & asked), default="")
    enough = 2 * len(subject(best) & asked) >= len(asked)
    if not enough or (WANTS_FIGURE.search(question) and not figures(best)):
        return "我不知道，抱歉。" if "我" in question else "I don't know that, sorry."
    end = "。" if "我" in question else "."
    return best.replace("The user's", "Your").replace("用户的", "你的") + end


def acted(messages: list[dict[str, Any]]) -> str | tuple[str, dict[str, str]]:
    """What an agent says, or the tool that it calls."""
    last = messages[-1]
    said = next(text_of(one) for one in reversed(messages) if one["role"] == "user")
    if last["role"] != "tool":
        if said.endswith(("?", "？")) or said.startswith("Forget "):
            return "query_memory", {"query": said.removeprefix("Forget ").rstrip(".")}
        return "save_insight", {"content": said}
    calls = [call for one in messages for call in one.get("tool_calls") or ()]
    name = next(one["function"]["name"] for one in calls if one["id"] == last["tool_call_id"])
    found = LISTED.findall(text_of(last))
    if name != "query_memory":
        return "Noted." if name == "save_insight" else "It is forgotten."
    if said.startswith("Forget "):
        about = subject(said.removeprefix("Forget "))
        wanted = [id for id, text in found if about <= subject(text)]
        return ("forget_memory", {"memory": wanted[0]}) if wanted else "There is no such memory."
    return answered(said, [text for _, text in found])


# --- Over HTTP ----------------------------------------------------------------------------------


def answer(request: dict[str, Any]) -> str | tuple[str, dict[str, str]]:
    """By the instructions, which say who it is to be."""
    system, *rest = map(text_of, request["messages"])
    told = "\n".join(rest)
    if system.startswith(
        ("You improve the prompt of a memory skill", "你的任务是改进一个记忆技能")
    ):
        return proposed(told, request["model"])
    if system.startswith(("You keep the long-term memory", "你负责管理一位助理的长期记忆")):
        return remembered(told)
    if system.startswith(("You help to look something up", "你帮助在一位助理的长期记忆")):
        return json.dumps({"queries": [], "exact": []})
    return acted(request["messages"])


def text_of(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(one.get("text", "") for one in content)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        made = answer(request)
        message: dict[str, Any] = {"role": "assistant", "content": made}
        if not isinstance(made, str):
            name, arguments = made
            told = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
            call = {"index": 0, "id": "call_1", "type": "function", "function": told}
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
        ends = "stop" if isinstance(made, str) else "tool_calls"
        head = {"id": "chatcmpl-1", "created": 1, "model": request["model"]}
        prompt = sum(len(text_of(one)) for one in request["messages"]) // 4
        usage = {"prompt_tokens": prompt, "completion_tokens": len(str(made)) // 4}
        usage["total_tokens"] = sum(usage.values())
        if request.get("stream"):
            head["object"] = "chat.completion.chunk"
            choices = [
                {"index": 0, "delta": message, "finish_reason": None},
                {"index": 0, "delta": {}, "finish_reason": ends},
            ]
            chunks = [*({**head, "choices": [one]} for one in choices)]
            chunks.append({**head, "choices": [], "usage": usage})
            lines = [f"data: {json.dumps(one)}\n\n" for one in chunks] + ["data: [DONE]\n\n"]
            self.send("text/event-stream", "".join(lines))
            return
        choice = {"index": 0, "message": message, "finish_reason": ends}
        whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
        self.send("application/json", json.dumps(whole))

    def send(self, kind: str, body: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """It is quiet."""


@contextmanager
def prompted_model() -> Iterator[str]:
    """The address of its API, while it serves."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
