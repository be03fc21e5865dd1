"""What is looked up when it is asked for, instead of counted as it happens."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How much there is of something just now: a gauge's value."""

    name: str
    of: str
    value: float
    labels: dict[str, str] = field(default_factory=dict[str, str])
