"""An MCP server of before 2026, on its standard input and output: it knows nothing of
subscriptions, and tells everybody what has changed. Its list is that of the file MCP_TOOLS; the
tool `hang` doesn't answer.

    python tests/servers/mcp_old.py
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

VERSION = "2025-06-18"
KNOWS: dict[str, Any] = {"tools": {"listChanged": True}}


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    match asked["method"]:
        case "initialize":
            info = {"name": "old", "version": "1"}
            told = {"protocolVersion": VERSION, "capabilities": KNOWS, "serverInfo": info}
        case "tools/list":
            told = {"tools": json.loads(Path(os.environ["MCP_TOOLS"]).read_text())}
        case "tools/call":
            say({"method": "notifications/tools/list_changed"})
            told = {"content": [{"type": "text", "text": "told"}]}
        case other:
            return {"error": {"code": -32601, "message": f"There is no {other} here."}}
    return {"result": told}


def say(what: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0", **what}), flush=True)


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" in asked and asked.get("params", {}).get("name") != "hang":
            say({"id": asked["id"], **answer(asked)})
