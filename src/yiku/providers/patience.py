"""How long and how often a provider is tried."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long and how often an endpoint is tried."""

    timeout_s: float = 30.0  # for each step of a request: connecting, waiting for bytes
    attempts: int = 5
    first_wait_s: float = 0.5  # doubled after each attempt, up to a minute
    concurrency: int = 4  # requests under way at a time
