"""What every suite has; each fixture and hook lives in tests/fixtures."""

import os

# Before NumPy is imported: several workers with several threads each would wait for each other by
# turning in circles, which takes more of the processors than what they compute.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

pytest_plugins = (
    "tests.fixtures.agents",
    "tests.fixtures.databases",
    "tests.fixtures.forked",
    "tests.fixtures.garbage",
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
