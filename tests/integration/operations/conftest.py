"""Servers of other tests, here too."""

from tests.integration.agents.conftest import jobs as jobs
from tests.integration.agents.conftest import lease_s as lease_s
from tests.integration.agents.conftest import more_settings as more_settings
from tests.integration.agents.conftest import new_server as new_server
from tests.integration.agents.conftest import notes as notes
from tests.integration.agents.conftest import server as server
