"""The older form of agent files: one agent, its blocks and tools inside it; pure."""

from __future__ import annotations

from typing import Any, cast

from yiku.core.errors import InvalidImport

Json = dict[str, Any]
NEEDED = ("name", "core_memory")


def as_new(value: Json) -> Json:
    """The newer form of it. Raises: InvalidImport where it is neither."""
    missing = [name for name in NEEDED if name not in value]
    if missing:
        raise InvalidImport(
            "An agent file has `agents`, or is one agent in the older form, with `name` and"
            f" `core_memory`; here is no `{missing[0]}`. It has"
            f" {', '.join(list(value)[:10]) or 'nothing'}."
        )
    tools = numbered("tool", value.get("tools"))
    blocks = numbered("block", value["core_memory"])
    apart = ("tools", "core_memory", "multi_agent_group")
    agent = {name: one for name, one in value.items() if name not in apart}
    agent |= {"id": "agent-0", "tool_ids": [f"tool-{n}" for n in range(len(tools))]}
    agent["block_ids"] = [f"block-{n}" for n in range(len(blocks))]
    return {"agents": [agent], "blocks": blocks, "tools": tools}


def numbered(noun: str, values: Any) -> list[Any]:
    """With ids, which they have in the newer form."""
    found = cast("list[Any]", values or [])
    return [
        {**cast("Json", one), "id": f"{noun}-{n}"} if isinstance(one, dict) else one
        for n, one in enumerate(found)
    ]


def as_old(agent: Json, blocks: list[Json], tools: list[Json]) -> Json:
    """The older form of what the newer one says, without messages."""
    kept = ("agent_type", "name", "system", "description", "llm_config", "embedding_config",
            "message_buffer_autoclear", "tool_rules", "timezone", "response_format")  # fmt: skip
    moments = {"created_at": agent["created_at"], "updated_at": agent["updated_at"]}
    variables = [
        {"key": key, "value": one, "description": None, **moments}
        for key, one in agent["tool_exec_environment_variables"].items()
    ]
    return {
        **{name: agent[name] for name in kept},
        **moments,
        "metadata_": agent["metadata"],
        "multi_agent_group": None,
        "tags": [{"tag": tag} for tag in agent["tags"]],
        "tool_exec_environment_variables": variables,
        "core_memory": [
            {
                **{name: one[name] for name in ("description", "is_template", "label", "limit")},
                **{name: one[name] for name in ("template_name", "value", "read_only")},
                "metadata_": one["metadata"],
                **moments,
            }
            for one in blocks
        ],
        "tools": [
            {**{k: v for k, v in one.items() if not k.endswith("by_id") and k != "id"}, **moments}
            for one in tools
        ],
        "version": "0.16.8",
    }
