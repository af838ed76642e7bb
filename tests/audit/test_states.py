"""The answers of ``state_answers`` where something was changed, or taken elsewhere, since the run."""

import pytest
from project import Project
from state_answers import *  # noqa: F403
from states import CHANGED, Truth


@pytest.fixture(scope="module", params=CHANGED)
def state(
    request: pytest.FixtureRequest, finished_real: Project, tmp_path_factory: pytest.TempPathFactory
) -> Truth:
    root = tmp_path_factory.mktemp("state") / "project"
    return Truth(CHANGED[request.param](finished_real, root))
