"""What is tested here: the loop of agents, on both databases, against a model over real HTTP."""

from tests.fixtures.gates import gate as gate
from tests.fixtures.gates import goes_on as goes_on
from tests.fixtures.running import open_talk as open_talk
from tests.fixtures.running import talk as talk
