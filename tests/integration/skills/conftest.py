from tests.contract.skills.conftest import app as app
from tests.contract.skills.conftest import open_app as open_app
from tests.contract.skills.conftest import thinking as thinking
