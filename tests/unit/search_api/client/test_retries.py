"""When the client tries again, with a clock and a chance of the test's own."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from search_api.client.errors import ApiAnswerInvalid, ApiError, ApiProblem, ApiTimeout, ApiUnreachable
from search_api.client.retries import Attempts, RetryPolicy

POLICY = RetryPolicy(deadline_s=30, timeout_s=10, attempts=4, first_pause_s=0.2, longest_pause_s=0.5)


@dataclass
class Clock:
    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


def attempts(*, repeatable: bool = True, clock: Clock | None = None, chance: float = 1.0) -> Attempts:
    return Attempts(POLICY, repeatable=repeatable, clock=clock or Clock(), chance=lambda: chance)


def problem(status: int, code: str, retry_after_s: float | None = None) -> ApiProblem:
    return ApiProblem(status, code, "detail", retry_after_s=retry_after_s)


BUSY = problem(503, "overloaded", 2)


def test_pauses_double_up_to_the_longest_and_are_drawn_by_chance() -> None:
    made = attempts()
    refused = ApiUnreachable("", sent=False)
    assert [made.pause_s(refused) for _ in range(3)] == [0.2, 0.4, 0.5]
    assert attempts(chance=0.5).pause_s(refused) == 0.1
    assert attempts(chance=0.0).pause_s(refused) == 0.0


def test_what_the_api_asks_for_comes_before_the_pause() -> None:
    made = attempts()
    assert [made.pause_s(BUSY) for _ in range(2)] == [2.2, 2.4]
    assert attempts(chance=0).pause_s(BUSY) == 2.0


def test_it_ends_with_the_last_error_and_says_how_often_was_tried() -> None:
    clock = Clock()
    made = attempts(clock=clock)
    for _ in range(3):
        clock.now_s += 1
        made.pause_s(BUSY)
    with pytest.raises(ApiProblem) as caught:
        made.pause_s(BUSY)
    assert caught.value is BUSY
    assert caught.value.__notes__ == ["4 attempts in 3.0 s"]


def test_no_pause_leads_beyond_the_deadline() -> None:
    clock = Clock()
    made = attempts(clock=clock, chance=0)
    clock.now_s += 28.5
    assert made.timeout_s == 1.5
    with pytest.raises(ApiProblem):
        made.pause_s(problem(503, "overloaded", 2))
    clock.now_s += 1.5
    with pytest.raises(ApiTimeout, match="no answer within 30 s"):
        _ = made.left_s


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("code", ["overloaded", "store_locked", "", "a_code_of_tomorrow"])
def test_what_passes_is_tried_again(status: int, code: str) -> None:
    assert attempts().pause_s(problem(status, code)) == 0.2


@pytest.mark.parametrize(
    "error",
    [
        problem(503, "collection_not_found", 2),
        problem(503, "model_weights_missing", 2),
        problem(500, "internal_error"),
        problem(404, "product_not_found"),
        problem(422, "request_invalid"),
        problem(401, "admin_key_required"),
        ApiAnswerInvalid(""),
        ApiTimeout(""),
    ],
    ids=str,
)
def test_what_stays_as_it_is_is_not(error: ApiError) -> None:
    with pytest.raises(type(error)) as caught:
        attempts().pause_s(error)
    assert caught.value is error
    assert not hasattr(error, "__notes__")


@pytest.mark.parametrize("error", [BUSY, problem(429, ""), ApiUnreachable("", sent=True)], ids=str)
def test_a_call_that_would_do_it_twice_is_not_repeated(error: ApiError) -> None:
    with pytest.raises(type(error)):
        attempts(repeatable=False).pause_s(error)


def test_a_call_that_never_left_is_repeated_whatever_it_does() -> None:
    assert attempts(repeatable=False).pause_s(ApiUnreachable("", sent=False)) == 0.2
