"""The composition root: the only place that picks adapters."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from yiku.agents.runner import Runner
from yiku.agents.shared import Agents
from yiku.agents.traces import StepTraces
from yiku.core.ports import Embedder, LanguageModel, Sandbox
from yiku.core.telemetry import SILENT, Telemetry
from yiku.memory.archival import ArchivalMemory, Policy
from yiku.memory.files.shared import Files
from yiku.memory.gloss import Gloss
from yiku.memory.recall_indexer import RecallIndexer
from yiku.memory.roles.gatings import GateLog
from yiku.memory.roles.pool import RolePool
from yiku.memory.skills.shared import Policy as SkillPolicy
from yiku.memory.skills.shared import Skills
from yiku.memory.text import forget_chunks
from yiku.providers.cache import CachedEmbedder, Warmable
from yiku.providers.choose import EmbedderChoice, embedder
from yiku.providers.models import Models, ModelsChoice
from yiku.providers.watched import WatchedEmbedder, WatchedModel
from yiku.settings import Settings
from yiku.store.database import Database, open_database
from yiku.store.index.files import SUPPORTED, IndexFiles, folder_beside
from yiku.store.index.pool import IndexPool
from yiku.store.index.terms import term_hash
from yiku.store.vault import Vault
from yiku.store.watched import WatchedDatabase
from yiku.telemetry.open import NOBODY, Watching
from yiku.tools.mcp.connect import Limits as McpLimits
from yiku.tools.mcp.pool import Pool
from yiku.tools.mcp.servers import McpServers
from yiku.tools.packages import Packages
from yiku.tools.portable import portable
from yiku.tools.registry import Toolbox
from yiku.tools.sandbox import Limits, sandbox
from yiku.tools.search_engine import SearchEngine, engine


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Everything a door needs."""

    settings: Settings
    database: Database
    memory: ArchivalMemory
    models: Models
    """What agents think with."""
    model: LanguageModel | None
    """The default one; None: none is configured."""
    skills: Skills
    tools: Toolbox
    files: Files
    agents: Agents
    runner: Runner
    watching: Watching = NOBODY


def embedder_choice(settings: Settings) -> EmbedderChoice:
    key = settings.embedding_api_key
    return EmbedderChoice(
        handle=settings.embedding,
        home=settings.home_dir,
        variant=settings.embedding_variant,
        folder=settings.model_dir,
        threads=settings.embedding_threads,
        base_url=settings.embedding_base_url,
        api_key=None if key is None else key.get_secret_value(),
        dimension=settings.embedding_dimension,
        timeout_s=settings.embedding_timeout_s,
        cached_texts=settings.embedding_cache,
    )


def models_choice(settings: Settings) -> ModelsChoice:
    key = settings.model_api_key
    return ModelsChoice(
        default=settings.model,
        base_url=settings.model_base_url,
        api_key=None if key is None else key.get_secret_value(),
        region=settings.model_region,
        timeout_s=settings.model_timeout_s,
        variables=settings.provider_variables,
        home=settings.home_dir,
    )


def as_it_is(text: str) -> str:
    return text


@asynccontextmanager
async def build(settings: Settings, watching: Watching = NOBODY) -> AsyncGenerator[App]:
    """Open what the settings name; close it at the end. `watching`: who is told of what goes on.

    Raises: StoreError, SettingInvalid, ModelNotFound.
    """
    settings.make_home()
    async with AsyncExitStack() as opened:  # closed in the opposite order
        telemetry = watching.telemetry
        models = Models(models_choice(settings), dressed=model_watch(telemetry))
        opened.push_async_callback(models.close)
        memory = await archival_memory(settings, opened, telemetry)
        box = sandbox(settings.sandbox, sandbox_limits(settings))
        opened.push_async_callback(asyncio.to_thread, box.close)
        designers = designers_of(settings)
        if designers is not None:
            opened.push_async_callback(designers.close)
        skills = skills_of(settings, memory, models, designers)
        opened.push_async_callback(skills.close)
        tools = toolbox(settings, memory.database, box)
        traces = step_traces(settings, memory.database)
        if traces is not None:
            opened.push_async_callback(traces.close)
        opened.push_async_callback(tools.mcp.pool.close)
        agents = Agents(
            database=memory.database,
            memory=memory,
            skills=skills,
            tools=tools,
            models=models,
            recall=RecallIndexer(memory),
            default_embedding=settings.embedding,
            compact_threshold=settings.compact_threshold,
            traces=traces,
            telemetry=telemetry,
        )
        runner = Runner(
            agents,
            lease_s=settings.lease_s,
            wait_s=settings.run_wait_s,
            drain_s=settings.shutdown_s,
        )
        opened.push_async_callback(runner.close)
        yield App(
            settings=settings,
            database=memory.database,
            memory=memory,
            models=models,
            model=None if settings.model is None else models.get(),
            skills=skills,
            tools=tools,
            files=files_of(settings, memory),
            agents=agents,
            runner=runner,
            watching=watching,
        )


# Where nobody is told, nothing stands between a room and what it asks.


def model_watch(telemetry: Telemetry) -> Callable[[LanguageModel], LanguageModel]:
    if telemetry is SILENT:
        return lambda model: model
    return lambda model: WatchedModel(model, telemetry)


def embedder_watch(telemetry: Telemetry) -> Callable[[Warmable], Warmable]:
    if telemetry is SILENT:
        return lambda made: made
    return lambda made: WatchedEmbedder(made, telemetry)


async def archival_memory(
    settings: Settings, opened: AsyncExitStack, telemetry: Telemetry = SILENT
) -> ArchivalMemory:
    made = embedder(embedder_choice(settings), embedder_watch(telemetry))
    opened.push_async_callback(made.close)
    indexes = IndexPool(settings.index_memory_mb, index_files(settings))
    opened.push_async_callback(asyncio.to_thread, indexes.close)
    database = await open_database(
        settings.database,
        busy_timeout_s=settings.busy_timeout_s,
        auto_migrate=settings.auto_migrate,
        limits=settings.limits,
    )
    if telemetry is not SILENT:
        database = WatchedDatabase(database, telemetry)
    opened.push_async_callback(database.close)
    gloss = gloss_for(made, settings)
    gatings = GateLog(database)
    opened.push_async_callback(gatings.close)
    roles = RolePool(database, made, gloss, settings.home_dir / "cache")
    opened.push_async_callback(roles.close)
    return ArchivalMemory(
        database=database,
        embedder=made,
        indexes=indexes,
        gloss=gloss,
        forget_cached=forgetting(made),
        policy=policy_of(settings),
        roles=roles,
        gatings=gatings,
    )


def step_traces(settings: Settings, database: Database) -> StepTraces | None:
    return StepTraces(database, settings.step_traces_keep) if settings.step_traces == "on" else None


def toolbox(settings: Settings, database: Database, box: Sandbox) -> Toolbox:
    return Toolbox(
        database,
        box,
        mcp_servers(settings, database),
        portable=portable(sandbox_limits(settings)),
        packages=Packages(settings.home_dir / "tools" / "env", settings.tool_requirements),
        web=search_engine(settings),
        fetch_private=settings.fetch_private,
    )


def search_engine(settings: Settings) -> SearchEngine | None:
    """Raises: SettingInvalid."""
    key = settings.search_api_key
    return engine(
        settings.search_provider,
        None if key is None else key.get_secret_value(),
        settings.search_base_url,
        settings.provider_variables,
    )


def mcp_servers(settings: Settings, database: Database) -> McpServers:
    limits = McpLimits(
        timeout_s=settings.mcp_timeout_s,
        max_bytes=settings.mcp_max_bytes,
        private=settings.mcp_private,
    )
    return McpServers(database, vault(settings), Pool(limits), settings.mcp_stdio)


def vault(settings: Settings) -> Vault:
    key = settings.secret_key
    given = None if key is None else key.get_secret_value()
    return Vault(given, settings.home_dir / "secret.key")


def sandbox_limits(settings: Settings) -> Limits:
    return Limits(
        timeout_s=settings.sandbox_timeout_s,
        memory_mb=settings.sandbox_memory_mb,
        network=settings.sandbox_network,
    )


def files_of(settings: Settings, memory: ArchivalMemory) -> Files:
    return Files(
        memory=memory,
        max_bytes=settings.max_file_bytes,
        parse_timeout_s=settings.parse_timeout_s,
        parse_memory_mb=settings.parse_memory_mb,
    )


def policy_of(settings: Settings) -> Policy:
    return Policy(
        duplicates=settings.duplicates,
        echo_guard=timedelta(hours=settings.echo_guard_hours),
        max_text_bytes=settings.max_text_bytes,
    )


def skills_of(
    settings: Settings, memory: ArchivalMemory, models: Models, designers: Models | None
) -> Skills:
    return Skills(
        database=memory.database,
        memory=memory,
        models=models,
        policy=SkillPolicy(
            encoding=settings.skill_encoding,
            secrets=settings.secrets,
            choose_with_model=settings.memskill_use_llm_selection,
            designer_model=settings.designer_llm_model,
            designer_base_url=settings.designer_llm_base_url,
        ),
        folder=(settings.skills_dir or settings.home_dir / "skills").expanduser(),
        designers=designers,
    )


def designers_of(settings: Settings) -> Models | None:
    """Models at the Designer's own address; None: it asks where all others are asked."""
    handle = settings.designer_llm_model or settings.model
    if settings.designer_llm_base_url is None or handle is None:
        return None
    choice = models_choice(settings)
    ours = handle.partition("/")[0] == (settings.model or handle).partition("/")[0]
    return Models(
        replace(
            choice,
            default=handle,
            base_url=settings.designer_llm_base_url,
            api_key=choice.api_key if ours else None,  # another provider isn't told it
        )
    )


def index_files(settings: Settings) -> IndexFiles | None:
    """Where indexes stay between processes: beside a SQLite file, else in the data directory."""
    if not SUPPORTED:
        return None
    address = settings.database
    if address.startswith("sqlite:///"):
        return IndexFiles(folder_beside(Path(address.removeprefix("sqlite:///"))))
    # Without user and password: with new ones it is the same database, and what is deleted then
    # must leave these files.
    parts = urlsplit(address)
    place = (parts.hostname, parts.port, parts.path, parse_qs(parts.query).get("host"))
    name = hashlib.sha256(repr(place).encode()).hexdigest()[:32]
    return IndexFiles(settings.home_dir / "cache" / "index" / name)


def gloss_for(made: Embedder, settings: Settings) -> Callable[[str], str]:
    """An English-only model is nearly blind in Chinese; a multilingual one needs no glosses."""
    if made.multilingual:
        return as_it_is
    return Gloss(settings.home_dir / "cache" / "gloss.tsv")


def forgetting(made: CachedEmbedder) -> Callable[[], None]:
    """Empties every cache that something of a deleted text may be in."""

    def forget() -> None:
        made.forget()
        forget_chunks()
        term_hash.cache_clear()

    return forget
