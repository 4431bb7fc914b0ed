"""What clients saw, as figures."""

from __future__ import annotations

import pytest

from benchmarks.http_load import Load


def test_a_rate_is_that_of_the_time_in_which_all_clients_ask() -> None:
    forming = [1.0, 1.5, 2.0]
    steady = [2.0 + number / 5 for number in range(1, 31)]
    emptying = [8.5, 9.0]
    ended_s = [*forming, *steady, *emptying]
    load = Load([1.0] * len(ended_s), [], ended_s, asked_s=8.0, failed=0, wall_s=9.0, client_s=0.0)
    assert load.rate == pytest.approx(5.0)
