"""Hostile pictures through the HTTP API, many at once: ``python -m benchmarks.hostile_http FOLDER PHOTOS --url URL``.

Every file goes to every route that takes a photo, while shoppers' photos in between must be answered as before. Prints
what was answered, what was wrong, and the server's memory after each round, which must not grow.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx

_RAW = {"content-type": "application/octet-stream"}
_HEALTHY_EVERY = 5
_SCORE_TOLERANCE = 2e-3
"""Of a cosine: photos that are embedded in a batch differ in their last digits from one alone."""
_TOP = 3
_FAILED = 500
_BUSY = 503
_PATIENCE_S = 60.0
_PAUSE_S = 0.05
_OK = 200

Send = Callable[[httpx.Client, bytes], httpx.Response]


def _form(data: bytes) -> dict[str, tuple[str, bytes]]:
    return {"file": ("photo", data)}


ROUTES: Mapping[str, Send] = {
    "search/image": lambda client, data: client.post("/v1/search/image", content=data, headers=_RAW),
    "search/image, form": lambda client, data: client.post("/v1/search/image", files=_form(data)),
    "search, form": lambda client, data: client.post(
        "/v1/search", files=_form(data), data={"query": json.dumps({"photos": [{"file": "file", "region": "auto"}]})}
    ),
    "search, base64": lambda client, data: client.post(
        "/v1/search", json={"photos": [{"data": base64.b64encode(data).decode()}]}
    ),
    "duplicates": lambda client, data: client.post("/v1/duplicates", content=data, headers=_RAW),
    "regions": lambda client, data: client.post("/v1/regions", content=data, headers=_RAW),
    "classify": lambda client, data: client.post("/v1/classify", files=_form(data), data={"labels": "mug,shoe"}),
    "embed": lambda client, data: client.post("/v1/embed", content=data, headers=_RAW),
}
"""Every way in for a photo, but for heat maps, which need a product."""

Answer = list[tuple[str, float]]


@dataclass(slots=True)
class Attack:
    """What came of a round.

    Attributes:
        statuses: answers by route and status.
        codes: of problems.
        healthy: answers to photos in between.
        wrong: sentences; empty if all is well.
        slowest_s: of the hostile requests, and what it was.
    """

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    healthy: int = 0
    wrong: list[str] = field(default_factory=list)
    slowest_s: tuple[float, str] = (0.0, "")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, route: str, name: str, response: httpx.Response, took_s: float) -> None:
        """A hostile picture was answered."""
        problem = response.headers.get("content-type", "").startswith("application/problem+json")
        with self._lock:
            self.statuses[route, response.status_code] += 1
            self.slowest_s = max(self.slowest_s, (took_s, f"{name} to {route}"))
            if problem:
                self.codes[response.json()["code"]] += 1
            if response.status_code >= _FAILED or problem == (response.status_code == _OK):
                self.wrong.append(f"{name} to {route}: {response.status_code} {response.text[:200]}")

    def note_healthy(self, name: str, expected: Answer, response: httpx.Response) -> None:
        """A shopper's photo was answered."""
        with self._lock:
            self.healthy += 1
            if response.status_code != _OK:
                self.wrong.append(f"the photo {name}: {response.status_code} {response.text[:200]}")
            elif not _alike(found := _answer(response), expected):
                self.wrong.append(f"the photo {name}: {found} instead of {expected}")


def attack(
    url: str, hostile: Mapping[str, bytes], photos: Mapping[str, bytes], *, clients: int, routes: Sequence[str]
) -> Attack:
    """Sends every hostile picture to each of the routes, with photos in between.

    Args:
        url: of the API.
        hostile: files by name.
        photos: of products that there are, by name; they are asked for once before.
        clients: that send at the same time.
        routes: of ``ROUTES``; with fewer pictures than routes times clients some clients have nothing to do.
    """
    found = Attack()
    work = iter([(route, name) for name in hostile for route in routes])
    next_work = threading.Lock()
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        expected = {name: _answer(_ask(client, data)) for name, data in photos.items()}
    names = list(photos)

    def run(number: int) -> None:
        done = number
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            while True:
                with next_work:
                    item = next(work, None)
                if item is None:
                    return
                route, name = item
                start_s = time.perf_counter()
                response = _patiently(lambda: ROUTES[route](client, hostile[name]))  # noqa: B023 - called here
                found.note(route, name, response, time.perf_counter() - start_s)
                done += 1
                if done % _HEALTHY_EVERY == 0:
                    photo = names[done // _HEALTHY_EVERY % len(names)]
                    found.note_healthy(photo, expected[photo], _ask(client, photos[photo]))

    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(run, range(clients)))
    return found


def _ask(client: httpx.Client, photo: bytes) -> httpx.Response:
    return _patiently(lambda: client.post(f"/v1/search/image?limit={_TOP}", content=photo, headers=_RAW))


def _patiently(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The answer; a full queue (503 with the code ``overloaded``) is how load is refused, and asked again a while."""
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        response = ask()
        busy = response.status_code == _BUSY and response.json().get("code") == "overloaded"
        if not busy or time.monotonic() > until_s:
            return response
        time.sleep(_PAUSE_S)


def _answer(response: httpx.Response) -> Answer:
    return [(hit["product_id"], hit["score"]) for hit in response.json().get("hits", [])]


def _alike(found: Answer, expected: Answer) -> bool:
    """The same products with the same scores; those of equal score may have changed places."""
    same = dict(expected)
    return len(found) == len(expected) > 0 and all(
        abs(score - expected[place][1]) <= _SCORE_TOLERANCE
        and abs(same.get(product, score) - score) <= _SCORE_TOLERANCE
        for place, (product, score) in enumerate(found)
    )


def memory_mb(pid: int) -> float:
    """Resident memory of a process and its children, shared pages in each."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * 4096 / 1e6 + sum(memory_mb(int(child)) for child in children)


def main() -> int:
    """Returns 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="Of hostile files.")
    parser.add_argument("photos", type=Path, help="Of photos of products that are indexed.")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--pid", type=int, default=0, help="Of the server, to measure its memory.")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parsed = parser.parse_args()
    hostile = {path.name: path.read_bytes() for path in sorted(parsed.folder.rglob("*")) if path.is_file()}
    photos = {path.name: path.read_bytes() for path in sorted(parsed.photos.rglob("*.jpg"))[:40]}
    failed = False
    for number in range(parsed.rounds):
        start_s = time.perf_counter()
        done = attack(parsed.url, hostile, photos, clients=parsed.clients, routes=list(ROUTES))
        took_s = time.perf_counter() - start_s
        by_status = Counter[int]()
        for (_, status), count in done.statuses.items():
            by_status[status] += count
        print(f"round {number + 1}: {by_status.total()} hostile requests in {took_s:.0f} s: {dict(by_status)}")
        print(f"  codes {dict(done.codes)}")
        print(f"  slowest {done.slowest_s[0]:.2f} s ({done.slowest_s[1]})")
        print(f"  {done.healthy} healthy answers in between, {len(done.wrong)} wrong")
        if parsed.pid:
            print(f"  memory {memory_mb(parsed.pid):.0f} MB")
        for sentence in done.wrong[:10]:
            print(f"  WRONG {sentence}", file=sys.stderr)
        failed = failed or bool(done.wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
