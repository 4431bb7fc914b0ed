"""A host that never answers takes little of the time of the others, and is asked again later."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from indexer.errors import ImageFetchFailed
from indexer.images.download import DownloadLimits, RemoteImages
from indexer.images.limits import ImageLimits
from indexer.images.silent_hosts import SilentHosts
from tests.image_host import ImageHost, running_image_host

REST_S = 0.2


@pytest.fixture
def host() -> Iterator[ImageHost]:
    with running_image_host() as running:
        yield running


def ask(hosts: SilentHosts) -> bool:
    try:
        hosts.check("a")
    except ImageFetchFailed:
        return False
    return True


def test_a_host_is_left_alone_after_a_row_of_timeouts_and_then_tried_by_one() -> None:
    hosts = SilentHosts(rest_s=REST_S)
    for _ in range(3):
        hosts.timed_out("a")
    assert ask(hosts)
    hosts.timed_out("a")
    assert not ask(hosts)
    hosts.check("b")
    time.sleep(REST_S * 1.5)
    assert [ask(hosts), ask(hosts)] == [True, False]
    hosts.answered("a")
    assert [ask(hosts), ask(hosts)] == [True, True]


def test_an_answer_between_timeouts_starts_the_row_anew() -> None:
    hosts = SilentHosts(rest_s=REST_S)
    for _ in range(10):
        hosts.timed_out("a")
        hosts.timed_out("a")
        hosts.answered("a")
    assert ask(hosts)


def test_pictures_of_a_silent_host_fail_without_being_asked_for(host: ImageHost) -> None:
    limits = DownloadLimits(timeout_s=0.3, connections_per_host=2, allowed_hosts=("localhost",))
    images = RemoteImages(ImageLimits(), limits)

    def fetch(number: int) -> str:
        with pytest.raises(ImageFetchFailed) as failure:
            images.fetch(f"{host.url}/silent/{number}", "")
        return failure.value.reason

    with ThreadPoolExecutor(8) as pool:
        reasons = list(pool.map(fetch, range(40)))
    images.close()
    assert 4 <= host.requests["silent"] <= 6  # two at a time: the row is full with the fourth or fifth
    assert sum("left alone" in reason for reason in reasons) == 40 - host.requests["silent"]
