"""Wilson's interval, the only one in the house, against the formula and scipy."""

import pytest
from scipy.stats import binomtest

from selfsame.stats.share import Share


@pytest.mark.parametrize(("part", "total"), [(0, 10), (10, 10), (7, 10), (864, 1247)])
def test_the_interval_is_wilsons(part: int, total: int) -> None:
    theirs = binomtest(part, total).proportion_ci(method="wilson")
    assert Share(part, total).interval == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_a_share_of_nothing_is_undefined() -> None:
    assert (Share(0, 0).value, Share(0, 0).interval) == (None, None)
