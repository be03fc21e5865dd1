"""What every suite has; each fixture and hook lives in tests/fixtures."""

pytest_plugins = (
    "tests.fixtures.agents",
    "tests.fixtures.databases",
    "tests.fixtures.forked",
    "tests.fixtures.memories",
    "tests.fixtures.home",
    "tests.fixtures.letta",
    "tests.fixtures.network",
    "tests.fixtures.no_skips",
    "tests.fixtures.pairs",
    "tests.fixtures.judging",
    "tests.fixtures.sides",
    "tests.fixtures.talking",
)
