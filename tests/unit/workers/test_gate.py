"""The gate: many together, or one alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from workers.gate import Gate

_TIMEOUT_S = 30.0


def test_many_are_inside_together() -> None:
    gate, barrier = Gate(), threading.Barrier(3)

    def work() -> None:
        with gate.entered(alone=False):
            barrier.wait(_TIMEOUT_S)  # breaks unless all three are inside

    with ThreadPoolExecutor(3) as pool:
        for future in [pool.submit(work) for _ in range(3)]:
            future.result()


def test_one_alone_is_never_beside_others() -> None:
    gate, lock = Gate(), threading.Lock()
    inside: list[bool] = []
    broken: list[list[bool]] = []

    def work(alone: bool) -> None:
        with gate.entered(alone=alone):
            with lock:
                inside.append(alone)
                if True in inside and len(inside) > 1:
                    broken.append(list(inside))
            with lock:
                inside.remove(alone)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work, number % 5 == 0) for number in range(2000)]:
            future.result()
    assert broken == []


def test_who_wants_to_be_alone_is_not_overtaken() -> None:
    gate, order = Gate(), list[str]()
    first = gate.entered(alone=False)
    first.__enter__()

    def enter(name: str, alone: bool) -> None:
        with gate.entered(alone=alone):
            order.append(name)

    alone = threading.Thread(target=enter, args=("alone", True))
    alone.start()
    while not gate._waiting_alone:
        pass
    later = threading.Thread(target=enter, args=("later", False))
    later.start()
    first.__exit__(None, None, None)
    alone.join(_TIMEOUT_S)
    later.join(_TIMEOUT_S)
    assert order == ["alone", "later"]


def test_an_error_inside_leaves_the_gate_open() -> None:
    gate = Gate()
    for alone in (True, False, True):
        with pytest.raises(ZeroDivisionError), gate.entered(alone=alone):
            _ = 1 / 0
    with gate.entered(alone=True):
        pass
