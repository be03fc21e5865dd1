"""What runs inside the sandbox: this file's text is the program of `python -c`.

Standard library only. It reads one request from stdin, calls the function, and writes `ready` and
one JSON answer to the descriptor that its first argument names. Whoever reads the answer trusts
none of it: the tool's code can write there too.

Each call pays for what is imported here, so what few calls need is imported where they need it.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

FILE = "<tool>"
LONGEST_TRACEBACK = 20_000
MB = 1 << 20


def main(answer: int) -> None:
    request: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    os.set_inheritable(answer, False)
    os.write(answer, b"ready\n")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path += request["path"]
    limit(request)
    try:
        told = said(called(request))
    except MemoryError:
        told = b'{"out_of_memory": true}'
    if len(told) > request["answer_bytes"]:
        told = b'{"too_large": true}'
    # A tool may have closed them.
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    with open(answer, "wb", closefd=False) as out:
        out.write(told)
    os._exit(0)  # threads that the tool has left behind don't hold it up


def limit(request: dict[str, Any]) -> None:
    """Lower the limits for good: hard limits, which nobody without privileges can raise."""
    import resource

    memory = request["memory_mb"] * MB
    seconds = int(request["timeout_s"]) + 1
    wanted = [
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, request["file_mb"] * MB),
        (resource.RLIMIT_NOFILE, request["files"]),
        (resource.RLIMIT_CORE, 0),
    ]
    if request["processes"]:
        wanted.append((resource.RLIMIT_NPROC, request["processes"]))
    for kind, value in wanted:
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # macOS knows some of them by name only.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))


def called(request: dict[str, Any]) -> dict[str, Any]:
    """The answer: `returned`, or `raised`."""
    module = type(sys)("tool")
    module.__dict__["__builtins__"] = builtins
    if request["takes_agent"]:
        module.__dict__["AgentState"] = Shown  # what the parameter is annotated with
    sys.modules["tool"] = module
    try:
        apart = request["described_apart"]
        exec(compile(request["source"], FILE, "exec", deferred(apart)), module.__dict__)
        function = module.__dict__[request["function"]]
        arguments = converted(function, request["arguments"], apart)
        if request["takes_agent"]:
            arguments["agent_state"] = agent_state(request["agent"])
        value = function(**arguments)
        if hasattr(value, "__await__"):
            import asyncio

            value = asyncio.run(value)
        return {"returned": plain(value)}
    except MemoryError:
        raise
    except BaseException as error:  # the tool's own, SystemExit among them
        return {"raised": raised(error, request["source"])}


def converted(
    function: Callable[..., Any], arguments: dict[str, Any], apart: bool
) -> dict[str, Any]:
    """Models where the function asks for models. Only a tool that uses pydantic needs any of it,
    and one whose parameters are described `apart` from its source."""
    if apart:
        arguments = {name: named(value) for name, value in arguments.items()}
    if "pydantic" not in sys.modules:
        return arguments
    from typing import get_type_hints

    from pydantic import TypeAdapter

    try:
        hints = get_type_hints(function)
    except NameError:
        if not apart:
            raise
        return arguments
    return {
        name: TypeAdapter(hints[name]).validate_python(value) if name in hints else value
        for name, value in arguments.items()
    }


def deferred(apart: bool) -> int:
    """What parameters are described as apart from the source, their annotations may name without
    its being there."""
    if not apart:
        return 0
    import __future__

    return __future__.annotations.compiler_flag


class Named(dict["str", "Any"]):
    """An object whose class is not in the source: it is read by attribute like one, or by key."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            known = ", ".join(self) or "nothing"
            raise AttributeError(f"the argument has no {name!r}; it has {known}") from None


def named(value: Any) -> Any:
    """`value` with its objects as `Named` ones."""
    return json.loads(json.dumps(value), object_hook=Named)


class Shown(dict["str", "Any"]):  # in quotes: `Any` is for those who read types only
    """An object of the agent's, to be read by attribute or by key; lists in it are copies."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            known = ", ".join(self)
            raise AttributeError(f"agent_state has no {name!r} here; there are {known}") from None


def refuse(self: Shown, *given: object, **named: object) -> None:
    raise TypeError("agent_state can be read only: change an agent by its tools, or the API")


CHANGING = ("__setattr__", "__delattr__", "__setitem__", "__delitem__", "__ior__")
for _name in (*CHANGING, "clear", "pop", "popitem", "setdefault", "update"):
    setattr(Shown, _name, refuse)


class Memory(Shown):
    """The blocks, as Letta's own class has them."""

    def get_block(self, label: str) -> Shown:
        for block in self["blocks"]:
            if block["label"] == label:
                return block
        known = ", ".join(self.list_block_labels()) or "none"
        raise KeyError(f"the agent has no block {label!r}; its blocks: {known}")

    def list_block_labels(self) -> list[str]:
        return [block["label"] for block in self["blocks"]]


def agent_state(told: dict[str, Any] | None) -> Shown | None:
    """None: the tool is called by no agent."""
    if told is None:
        return None
    found = json.loads(json.dumps(told), object_hook=Shown)
    return Shown(found, memory=Memory(blocks=found["blocks"]))


def raised(error: BaseException, source: str) -> dict[str, Any]:
    import linecache
    import traceback

    linecache.cache[FILE] = (len(source), None, source.splitlines(keepends=True), FILE)
    told = traceback.format_exception(type(error), error, own_frames(error), limit=-20)
    text = "".join(told)
    if len(text) > LONGEST_TRACEBACK:
        text = f"…{text[-LONGEST_TRACEBACK:]}"
    return {"error": type(error).__name__, "message": words(error), "traceback": text}


def own_frames(error: BaseException) -> TracebackType | None:
    """The tool's own frames: those of this file come first."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != FILE:
        frames = frames.tb_next
    return frames


def words(error: BaseException) -> str:
    try:
        return str(error)[:LONGEST_TRACEBACK]
    except Exception as worse:
        return f"(its text can't be told: {type(worse).__name__})"


def plain(value: Any) -> Any:
    """`value` in JSON's types; what has none is its text."""
    return json.loads(json.dumps(value, ensure_ascii=False, default=as_plain, skipkeys=True))


def as_plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, set | frozenset):
        return [*value]
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "replace")
    return str(value)


def said(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")


if __name__ == "__main__":
    main(int(sys.argv[1]))
