"""The answers of ``state_answers`` in the states of data of one's own."""

import pytest
from project import Project
from state_answers import *  # noqa: F403
from states import OWN_DATA, Truth


@pytest.fixture(scope="module", params=OWN_DATA)
def state(
    request: pytest.FixtureRequest, finished_real: Project, tmp_path_factory: pytest.TempPathFactory
) -> Truth:
    root = tmp_path_factory.mktemp("state") / "project"
    return Truth(OWN_DATA[request.param](finished_real, root))
