"""The answers of ``state_answers`` in the states of stages that ran again."""

import pytest
from project import Project
from state_answers import *  # noqa: F403
from states import RUN_AGAIN, Truth


@pytest.fixture(scope="module", params=RUN_AGAIN)
def state(
    request: pytest.FixtureRequest, finished_real: Project, tmp_path_factory: pytest.TempPathFactory
) -> Truth:
    root = tmp_path_factory.mktemp("state") / "project"
    return Truth(RUN_AGAIN[request.param](finished_real, root))
