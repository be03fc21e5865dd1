"""Every setting, in one frozen tree, read once from the environment and `.env`."""

import os
import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from yiku.core.errors import SettingInvalid
from yiku.core.quota import Limits, Resource

ENV_FILE = ".env"
OF_PROVIDERS = re.compile(
    r"(?!YIKU_)[A-Z0-9_]+_(API_KEY|BASE_URL|API_BASE|ENDPOINT|HOST|REGION|APP_ID|BEDROCK|RUNTIME)"
)
"""Names of variables that say where a model provider is, and with which key."""


def provider_variables() -> dict[str, str]:
    """Those of the environment and `.env`, by name."""
    found = {**dotenv_values(ENV_FILE), **os.environ}
    return {name: value for name, value in found.items() if value and OF_PROVIDERS.fullmatch(name)}


def unread_variables(read: Collection[str]) -> dict[str, str | None]:
    """Those that look like settings and are none, each with the one that may be meant; `read`:
    those that are read elsewhere."""
    known = {f"YIKU_{name.upper()}" for name in Settings.model_fields} | set(read)
    given = {name for name in {**dotenv_values(ENV_FILE), **os.environ} if name.startswith("YIKU_")}
    return {
        name: next(iter(get_close_matches(name, known, 1)), None) for name in sorted(given - known)
    }


def either(name: str) -> AliasChoices:
    """A variable that the specification names without our prefix; with it, it is taken, too."""
    return AliasChoices(f"YIKU_{name}", name)


class Settings(BaseSettings):
    """Each field is read from `YIKU_` and its name in capitals; some from their bare name, too."""

    model_config = SettingsConfigDict(
        env_prefix="YIKU_",
        env_file=ENV_FILE,
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        populate_by_name=True,
        allow_inf_nan=False,
    )

    home: Path = Field(
        default=Path("~/.yiku"), description="Data directory: the database, models and caches."
    )
    database_url: str | None = Field(
        default=None,
        description="`postgresql://…` for Postgres 16 with pgvector, or `sqlite:///path`;"
        " empty: `yiku.db` in the data directory.",
    )
    auto_migrate: bool = Field(
        default=True, description="Bring an older database's schema up to date when it is opened."
    )
    busy_timeout_s: float = Field(
        default=10.0, ge=0, description="Seconds to wait for another process's write to end."
    )
    embedding: str = Field(
        default="local/all-minilm-l6-v2",
        description="Embedding model: `local/<name>` or `<provider>/<model>`.",
    )
    embedding_variant: Literal["int8", "float32"] = Field(
        default="int8", description="Arithmetic of a local embedding model."
    )
    embedding_base_url: str | None = Field(
        default=None, description="Address of an OpenAI-compatible `/embeddings` endpoint."
    )
    embedding_api_key: SecretStr | None = Field(
        default=None, description="Key of the embedding provider."
    )
    embedding_dimension: int | None = Field(
        default=None, ge=1, le=16_384, description="Vector length; empty: asked of the provider."
    )
    embedding_timeout_s: float = Field(
        default=30.0, gt=0, description="Seconds to wait for an answer of the embedding provider."
    )
    embedding_threads: int = Field(
        default=2, ge=1, le=256, description="Threads of a local embedding model."
    )
    embedding_cache: int = Field(
        default=4096, ge=0, description="Embeddings kept in memory; 0: none."
    )
    model_dir: Path | None = Field(
        default=None, description="Folder with the local model's files; empty: found or pulled."
    )
    model_mirror: str | None = Field(
        default=None, description="Base address of a model hub or mirror for `yiku model pull`."
    )
    model: str | None = Field(
        default=None,
        description="Language model that agents think with: `<provider>/<model>`; empty: none.",
    )
    model_base_url: str | None = Field(
        default=None, description="Address of that model's provider; empty: the provider's own."
    )
    model_api_key: SecretStr | None = Field(
        default=None,
        description="Key of that model's provider; empty: the provider's own variable.",
    )
    model_region: Literal["mainland", "international"] | None = Field(
        default=None,
        description="Which address of a Chinese provider is taken; empty: the one its key is for.",
    )
    model_timeout_s: float = Field(
        default=120.0, gt=0, description="Seconds to wait for an answer of the language model."
    )
    duplicates: Literal["link", "keep"] = Field(
        default="link",
        description="A near-duplicate by the same speaker: `link` it to the passage that holds"
        " it already, or `keep` both.",
    )
    echo_guard_hours: float = Field(
        default=24.0,
        ge=0,
        description="Hours for which text that a search put into a context isn't stored again as"
        " new when it comes back; 0: off.",
    )
    max_text_bytes: int = Field(
        default=4_194_304, ge=1, description="Largest text of one passage, in bytes of UTF-8."
    )
    max_request_bytes: int = Field(
        default=33_554_432, ge=1024, description="Largest body of one HTTP request, in bytes."
    )
    max_file_bytes: int = Field(
        default=104_857_600, ge=1024, description="Largest file of a folder, in bytes."
    )
    parse_timeout_s: float = Field(
        default=300.0, ge=1, le=3600, description="Seconds that reading one file may take."
    )
    parse_memory_mb: int = Field(
        default=1024, ge=128, description="Memory for the process that reads one file, MB."
    )
    max_import_bytes: int = Field(
        default=4_294_967_296, ge=1024, description="Largest file of one import, in bytes."
    )
    index_memory_mb: int = Field(
        default=2048, ge=16, description="Memory for the indexes of recently used archives, MB."
    )
    sandbox: Literal["bwrap", "process", "off"] = Field(
        default="bwrap",
        description="Where the code of custom tools runs: `bwrap`, isolated by bubblewrap;"
        " `process`, a child process with limits that can read what the server can; `off`: not.",
    )
    sandbox_timeout_s: float = Field(
        default=30.0, ge=0.1, le=3600, description="Seconds a call of a custom tool may take."
    )
    sandbox_memory_mb: int = Field(
        default=512, ge=64, description="Memory for one call of a custom tool, MB."
    )
    sandbox_network: bool = Field(
        default=False, description="Whether custom tools reach the network, this machine included."
    )
    lease_s: float = Field(
        default=30.0,
        ge=1.0,
        description="Seconds without a sign of life after which another server takes a run over.",
    )
    run_wait_s: float = Field(
        default=60.0,
        ge=0,
        description="Seconds a message waits for the agent's run before it; then: 409 AgentBusy.",
    )
    step_traces: Literal["off", "on"] = Field(
        default="off",
        description="Whether it is kept what a language model was shown and said in each step of a"
        " run; it holds memories.",
    )
    step_traces_keep: int = Field(
        default=1_000, ge=1, description="So many traces of steps are kept of an organization."
    )
    tool_requirements: Literal["off", "admin", "write"] = Field(
        default="admin",
        description="Who may have the packages that a custom tool asks for installed, wheels only:"
        " keys with the scope `admin`, or `write`; `off`: nobody. What is installed, all use.",
    )
    search_provider: str | None = Field(
        default=None,
        description="Whom `web_search` asks: `tavily`, `exa`, `brave`, `serper`, `bocha` or"
        " `searxng`; empty: the first whose key (`TAVILY_API_KEY` …) is there, else nobody.",
    )
    search_api_key: SecretStr | None = Field(
        default=None, description="Key of the search provider; empty: the provider's own variable."
    )
    search_base_url: str | None = Field(
        default=None,
        description="Address of the search provider; empty: its own. `searxng` needs one.",
    )
    fetch_private: bool = Field(
        default=False,
        description="Whether `fetch_webpage` reads pages of this machine and its network, too, and"
        " callbacks go there.",
    )
    skills_dir: Path | None = Field(
        default=None,
        description="Folder with memory skills of one's own, Markdown files; empty: `skills` in the"
        " data directory.",
    )
    skill_encoding: Literal["background", "request", "off"] = Field(
        default="background",
        description="When a language model encodes what agents save: `background`, after it was"
        " stored as it came; `request`, before the answer; `off`: never.",
    )
    secrets: Literal["refuse", "mask", "keep"] = Field(
        default="mask",
        description="Passwords, keys and card numbers in what agents save: `refuse` the text,"
        " `mask` them, or `keep` them.",
    )
    memskill_use_llm_selection: bool = Field(
        default=False,
        validation_alias=either("MEMSKILL_USE_LLM_SELECTION"),
        description="Whether a language model may choose the memory skill where keywords can't.",
    )
    designer_llm_model: str | None = Field(
        default=None,
        validation_alias=either("DESIGNER_LLM_MODEL"),
        description="Language model that rewrites memory skills; empty: `YIKU_MODEL`.",
    )
    designer_llm_base_url: str | None = Field(
        default=None,
        validation_alias=either("DESIGNER_LLM_BASE_URL"),
        description="Address of that model's provider; empty: that of `YIKU_MODEL`.",
    )
    designer_auto_evolve: bool = Field(
        default=False,
        validation_alias=either("DESIGNER_AUTO_EVOLVE"),
        description="Whether memory skills are examined once a day and better prompts proposed."
        " Nothing is approved by itself.",
    )
    mcp_stdio: bool = Field(
        default=False,
        description="Whether MCP servers may be programs that are started on this machine, as the"
        " server's own user. Keys with the scope `admin` add them.",
    )
    mcp_private: bool = Field(
        default=True,
        description="Whether MCP servers may be at addresses of this machine and its network.",
    )
    mcp_timeout_s: float = Field(
        default=60.0,
        ge=0.1,
        le=3600,
        description="Seconds to wait for an MCP server: to connect, to list its tools, to answer a"
        " call.",
    )
    mcp_max_bytes: int = Field(
        default=8_388_608, ge=65_536, description="Largest message of an MCP server, in bytes."
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="Key that secrets of agents and MCP servers are encrypted with, 32 characters"
        " or more; empty: `secret.key` in the data directory, made when it is needed.",
    )
    compact_threshold: int = Field(
        default=20,
        ge=6,
        validation_alias=either("COMPACT_THRESHOLD"),
        description="Messages in a conversation beyond which all but the last five are summarised.",
    )
    schedules_missed: Literal["run", "skip"] = Field(
        default="run",
        description="A scheduled message that no server was there for: `run`, sent once as soon as"
        " one is; `skip`, not sent. A schedule's own `missed` wins.",
    )
    worker: bool = Field(
        default=True,
        description="Whether a server, and a memory opened in a program, carries out background"
        " jobs; `yiku worker` does in any case.",
    )
    host: str = Field(default="127.0.0.1", description="Address `yiku serve` listens on.")
    port: int = Field(
        default=8283, ge=0, le=65_535, description="Port `yiku serve` listens on; 0: any free one."
    )
    require_key: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="Whether requests need an API key; `auto`: unless the server listens on"
        " loopback only.",
    )
    quota_agents: int = Field(
        default=0, ge=0, description="Agents an organization may have, by default; 0: no limit."
    )
    quota_passages: int = Field(
        default=0, ge=0, description="Passages an organization may have, by default; 0: no limit."
    )
    quota_messages_per_day: int = Field(
        default=0,
        ge=0,
        description="Messages an organization's users may send to agents in a day of UTC, by"
        " default; 0: no limit.",
    )
    quota_tokens_per_day: int = Field(
        default=0,
        ge=0,
        description="Tokens an organization's agents, summaries and memory skills may use in a day"
        " of UTC, by default; 0: no limit.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="warning", description="Least severe log line that is written."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Form of the log: lines for people, or an object a line."
    )
    metrics: bool = Field(
        default=False, description="Whether `/metrics` answers, in Prometheus' form."
    )
    traces: bool = Field(
        default=False,
        description="Whether OpenTelemetry traces are sent, to where the `OTEL_*` variables say.",
    )
    sentry_dsn: SecretStr | None = Field(
        default=None,
        validation_alias=either("SENTRY_DSN"),
        description="Where bugs and failures are told to Sentry; empty: nowhere.",
    )
    shutdown_s: float = Field(
        default=10.0,
        ge=0,
        description="Seconds a server that is told to end lets its runs go on; those that take"
        " longer are parked for the next server.",
    )

    _provider_variables: dict[str, str] = PrivateAttr(default_factory=provider_variables)

    @property
    def provider_variables(self) -> Mapping[str, str]:
        """Keys and addresses of model providers, under their usual names: `OPENAI_API_KEY` …"""
        return self._provider_variables

    @property
    def home_dir(self) -> Path:
        return self.home.expanduser()

    @property
    def limits(self) -> Limits:
        """What an organization may have that has no limits of its own."""
        return {one: getattr(self, f"quota_{one}") for one in Resource}

    def make_home(self) -> None:
        """The data directory, made so that only its user may read it. Raises: SettingInvalid."""
        try:
            self.home_dir.parent.mkdir(parents=True, exist_ok=True)
            self.home_dir.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise SettingInvalid(
                f"YIKU_HOME: {self.home_dir} can't be made: {error.strerror}."
            ) from error

    @property
    def database(self) -> str:
        """The database's address: the setting, or `yiku.db` in the data directory."""
        return self.database_url or f"sqlite:///{self.home_dir / 'yiku.db'}"


def load(**given: Any) -> Settings:
    """The environment's settings; `given` values win.

    Raises: SettingInvalid, naming the variable and what is allowed.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        problems = "; ".join(
            f"{variable_of(e['loc'])}: {e['msg']}"
            for e in error.errors(include_url=False, include_input=False)
        )
        raise SettingInvalid(f"Settings can't be used: {problems}.") from error


def variable_of(place: tuple[int | str, ...]) -> str:
    """The variable that a value came from."""
    name = str(place[0]).upper() if place else "?"
    return name if name.startswith("YIKU_") else f"YIKU_{name}"
