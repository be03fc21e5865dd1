"""Our forms against the client's own types: what it can send is taken, what it reads is there."""

import types as builtin_types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from letta_client import types
from letta_client._models import BaseModel as ClientModel
from letta_client._utils import PropertyInfo
from letta_client.types import (
    agent_create_params,
    agents,
    archives,
    blocks,
    conditional_tool_rule_param,
    embedding_config_param,
    llm_config_param,
    mcp_servers,
)
from pydantic import BaseModel

from yiku.server.v1 import (
    wire,
    wire_agents,
    wire_archives,
    wire_mcp,
    wire_models,
    wire_rules,
    wire_tools,
)

PATH = {"agent_id", "archive_id", "block_id", "block_label", "mcp_server_id", "tool_name"}
"""Parameters that are in paths, and in the client's forms too."""

SENT: list[tuple[Any, type[BaseModel]]] = [
    (types.AgentCreateParams, wire_agents.AgentIn),
    (types.AgentUpdateParams, wire_agents.AgentPatch),
    (types.AgentListParams, wire_agents.AgentQuery),
    (types.AgentRetrieveParams, wire_agents.Included),
    (types.AgentRecompileParams, wire_agents.RecompileQuery),
    (types.CreateBlockParam, wire.BlockIn),
    (blocks.AgentListParams, wire_agents.AgentPages),
    (agents.BlockListParams, wire.NewestFirst),
    (agents.BlockUpdateParams, wire.BlockPatch),
    (agents.ToolListParams, wire.NewestFirst),
    (agents.ToolRunParams, wire_tools.RunIn),
    (agents.ToolUpdateApprovalParams, wire_tools.ApprovalIn),
    (agents.PassageCreateParams, wire_archives.PassageIn),
    (agents.PassageListParams, wire_archives.PassageQuery),
    (agents.PassageSearchParams, wire_archives.RecallQuery),
    (types.ToolCreateParams, wire_tools.ToolIn),
    (types.ToolUpsertParams, wire_tools.ToolIn),
    (types.McpServerCreateParams, wire_mcp.McpServerIn),
    (types.McpServerUpdateParams, wire_mcp.McpServerPatch),
    (types.McpServerRefreshParams, wire_mcp.RefreshQuery),
    (types.CreateStdioMcpServerParam, wire_mcp.StdioIn),
    (types.CreateSseMcpServerParam, wire_mcp.SseIn),
    (types.CreateStreamableHTTPMcpServerParam, wire_mcp.StreamableIn),
    (types.UpdateStdioMcpServerParam, wire_mcp.StdioPatch),
    (types.UpdateSseMcpServerParam, wire_mcp.SsePatch),
    (types.UpdateStreamableHTTPMcpServerParam, wire_mcp.StreamablePatch),
    (mcp_servers.ToolRunParams, wire_mcp.McpRunIn),
    (types.ToolUpdateParams, wire_tools.ToolPatch),
    (types.ToolListParams, wire_tools.ToolQuery),
    (types.ToolSearchParams, wire_tools.ToolSearchIn),
    (types.ArchiveCreateParams, wire_archives.ArchiveIn),
    (types.ArchiveUpdateParams, wire_archives.ArchivePatch),
    (types.ArchiveListParams, wire_archives.ArchiveQuery),
    (archives.PassageCreateParams, wire_archives.ArchivePassageIn),
    (archives.PassageCreateManyParams, wire_archives.PassagesIn),
    (types.PassageSearchParams, wire_archives.PassageSearchIn),
    (types.TagListParams, wire_agents.TagQuery),
    (types.ModelListParams, wire_models.ModelQuery),
    (llm_config_param.LlmConfigParam, wire_models.LlmConfig),
    (embedding_config_param.EmbeddingConfigParam, wire_models.EmbeddingConfig),
    (agent_create_params.CompactionSettings, wire_models.Compaction),
    (types.InitToolRuleParam, wire_rules.InitRule),
    (types.ChildToolRuleParam, wire_rules.ChildRule),
    (types.ParentToolRuleParam, wire_rules.ParentRule),
    (conditional_tool_rule_param.ConditionalToolRuleParam, wire_rules.ConditionalRule),
    (types.ContinueToolRuleParam, wire_rules.ContinueRule),
    (types.TerminalToolRuleParam, wire_rules.TerminalRule),
    (types.MaxCountPerStepToolRuleParam, wire_rules.MaxCountRule),
    (types.RequiredBeforeExitToolRuleParam, wire_rules.RequiredBeforeExitRule),
    (types.RequiresApprovalToolRuleParam, wire_rules.ApprovalRule),
    *((one, wire_models.ModelSettings) for one in get_args(agent_create_params.ModelSettings)),
]

READ: list[tuple[type[ClientModel], type[BaseModel]]] = [
    (types.AgentState, wire_agents.AgentOut),
    (types.BlockResponse, wire.BlockOut),
    (types.Tool, wire_tools.ToolOut),
    (types.ToolSearchResult, wire_tools.ToolHitOut),
    (agents.ToolExecutionResult, wire_tools.ResultOut),
    (types.StdioMcpServer, wire_mcp.StdioOut),
    (types.SseMcpServer, wire_mcp.RemoteOut),
    (types.StreamableHTTPMcpServer, wire_mcp.RemoteOut),
    (types.Archive, wire_archives.ArchiveOut),
    (types.Passage, wire_archives.PassageOut),
    (types.LlmConfig, wire_models.LlmConfigOut),
    (types.EmbeddingConfig, wire_models.EmbeddingConfigOut),
    (types.Model, wire_models.ModelOut),
    (types.EmbeddingModel, wire_models.EmbeddingModelOut),
    (types.AgentEnvironmentVariable, wire_agents.SecretOut),
]


def wire_names(form: Any) -> dict[str, Any]:
    """The fields of a client's form as they are sent, with their types."""
    found: dict[str, Any] = {}
    for name, hint in get_type_hints(form, include_extras=True).items():
        alias = next((info.alias for info in infos(hint) if info.alias), None)
        found[alias or name] = hint
    return {name: hint for name, hint in found.items() if name not in PATH}


def infos(hint: Any) -> Iterator[PropertyInfo]:
    if get_origin(hint) is Annotated:
        yield from (one for one in hint.__metadata__ if isinstance(one, PropertyInfo))
    for inner in get_args(hint):
        if get_origin(inner) is Annotated:
            yield from infos(inner)


@pytest.mark.parametrize(("theirs", "ours"), SENT, ids=lambda one: one.__name__)
def test_every_field_the_client_can_send_is_taken(theirs: Any, ours: type[BaseModel]) -> None:
    assert wire_names(theirs).keys() - ours.model_fields.keys() == set()


@pytest.mark.parametrize(("theirs", "ours"), SENT, ids=lambda one: one.__name__)
def test_every_choice_the_client_has_is_taken(theirs: Any, ours: type[BaseModel]) -> None:
    """Where both say which words there are."""
    for name, hint in wire_names(theirs).items():
        own = choices(ours.model_fields[name].annotation)
        assert not own or choices(hint) <= own, name


def choices(hint: Any) -> set[str]:
    """The literals of a type, lists and options included; empty where it takes any text."""
    if get_origin(hint) is Literal:
        return {one for one in get_args(hint) if isinstance(one, str)}
    if get_origin(hint) in (Union, builtin_types.UnionType, list, Annotated):
        inner = [one for one in get_args(hint) if one is not type(None)]
        return set().union(*(choices(one) for one in inner)) if inner else set()
    return set()


@pytest.mark.parametrize(("theirs", "ours"), READ, ids=lambda one: one.__name__)
def test_every_field_the_client_reads_is_answered(
    theirs: type[ClientModel], ours: type[BaseModel]
) -> None:
    names = {field.alias or name for name, field in theirs.model_fields.items()}
    assert names - ours.model_fields.keys() == set()
