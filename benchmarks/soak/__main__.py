"""``python -m benchmarks.soak``: whether the API holds under load; ``make soak``. Loopback only, bounded in time.

1. *Unloaded*: one client asks one photo after the other; what that takes is what later parts are held against.
2. *Soak*: 32 clients mix photos, texts, filtered and hostile queries while the catalog is reindexed again and again.
   Every answer is checked: a product's photo finds that product, a text finds what it found before, filters and counts
   are compared with the feed, hostile requests get a problem of 4xx. Who is told 503 with Retry-After comes back then.
3. *Twice the capacity*: the capacity is measured with 8 clients; then photos come at twice that rate, whether or not
   others are answered, for a minute, its beginning included. Latency counts from when a photo was due.
4. *After*: one client again; how long until its answers take what they took in 1.

Exit code: 0 if everything held, 1 if not.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.soak.catalog import read_shop
from benchmarks.soak.clients import Plan, Seen, carry_out, learn_rankings, recovered_after_s
from benchmarks.soak.questions import HOSTILE, KINDS, PHOTO
from benchmarks.soak.server import (
    MemoryTrend,
    Reindexes,
    prepare,
    reindexing,
    running_server,
    trend,
    watched_memory,
)
from benchmarks.soak.verdict import Latency, Requirement, Verdict, latency_of
from tests.processes import RunningApi

_CLIENTS = 32
_CAPACITY_CLIENTS = 8
_BEGIN_S = 3.0
_TIMES = 3.0
_RECOVERY_S = 5.0
_SLOPE_MB_PER_MIN = 1.0
_TOLD_FROM_S = 240.0
"""A slope of less time is that of chance."""


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds of the parts."""

    soak_s: float
    alone_s: float
    overload_s: float


@dataclass(frozen=True, slots=True)
class Found:
    """What the parts saw."""

    alone: Seen
    soak: Seen
    reindexes: Reindexes
    memory: MemoryTrend
    capacity: float
    overload: Seen
    recovery_s: float


def soak(server: RunningApi, folder: Path, catalog: Path, durations: Durations, clients: int) -> Found:
    """All parts, one after the other."""
    shop = read_shop(catalog)
    rankings = learn_rankings(server.url, shop)
    plan = Plan(server.url, shop, rankings, durations.alone_s, kind=PHOTO)
    # one process beside this one, which sleeps: clients must not take the server's turn, nor the server theirs
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes:
        processes.submit(carry_out, replace(plan, seconds=2.0, seed=11)).result()
        say("unloaded")
        alone = processes.submit(carry_out, replace(plan, seed=12)).result()
        say(f"{clients} clients and reindexes, {durations.soak_s:g} s")
        with watched_memory(server) as samples, reindexing(folder, catalog) as reindexes:
            mixed = replace(plan, seconds=durations.soak_s, clients=clients, kind="", begin_s=_BEGIN_S, seed=13)
            soaked = processes.submit(carry_out, mixed).result()
        say("capacity")
        filling = replace(plan, seconds=min(10.0, durations.overload_s), clients=_CAPACITY_CLIENTS, patient=False)
        capacity = processes.submit(carry_out, replace(filling, seed=14)).result()
        rate = capacity.served / capacity.wall_s
        say(f"twice the capacity of {rate:.0f} photos/s, {durations.overload_s:g} s")
        over = replace(plan, seconds=durations.overload_s, rate=2 * rate, seed=15)
        overload = processes.submit(carry_out, over).result()
        say("after")
        limit_ms = _TIMES * photo_p99_ms(alone)
        recovery_s = processes.submit(recovered_after_s, replace(plan, seconds=20.0, seed=16), limit_ms).result()
    return Found(alone, soaked, reindexes, trend(samples), rate, overload, recovery_s)


def photo_p99_ms(seen: Seen) -> float:
    """Of the photos that were served."""
    return latency_of("", "", seen.served_ms[PHOTO]).p99_ms


def verdict_of(found: Found, durations: Durations) -> Verdict:
    """What held."""
    alone_p99_ms = photo_p99_ms(found.alone)
    limit_ms = _TIMES * alone_p99_ms
    served_p99_ms = photo_p99_ms(found.overload)
    refused = found.overload.refused_ms.get(PHOTO, [])
    refused_p99_ms = latency_of("", "", refused).p99_ms if refused else 0.0
    wrong, faults = found.soak.wrong_count + found.overload.wrong_count, found.soak.fault_count
    faults += found.overload.fault_count
    slope = found.memory.slope_mb_per_min
    memory = f"{slope:+.2f} MB/min, {found.memory.first_mb:.0f} to {found.memory.last_mb:.0f} MB"
    told = durations.soak_s >= _TOLD_FROM_S
    hostile = sum(count for (kind, _), count in found.soak.statuses.items() if kind == HOSTILE)
    reindexed = f"{found.reindexes.done}, {len(found.reindexes.failures)} failed"
    requirements = [
        Requirement("wrong answers", "0", f"{wrong} of {found.soak.served + found.overload.served}", wrong == 0),
        Requirement("5xx but for told refusals, lost connections", "0", str(faults), faults == 0),
        Requirement("reindexes meanwhile", "1 or more, all done", reindexed, _all_done(found.reindexes)),
        Requirement(
            "memory slope, second half", f"at most {_SLOPE_MB_PER_MIN:g} MB/min", memory, _held(slope, told=told)
        ),
        Requirement(
            "p99 at twice the capacity",
            f"at most {_TIMES:g} x {alone_p99_ms:.1f} = {limit_ms:.1f} ms",
            f"{served_p99_ms:.1f} ms ({served_p99_ms / alone_p99_ms:.1f} x)",
            served_p99_ms <= limit_ms,
        ),
        Requirement(
            "the rest is refused at once", f"p99 at most {limit_ms:.1f} ms", f"{refused_p99_ms:.1f} ms",
            bool(refused) and refused_p99_ms <= limit_ms,
        ),
        Requirement(
            "recovery", f"within {_RECOVERY_S:g} s", f"{found.recovery_s:.1f} s", found.recovery_s <= _RECOVERY_S
        ),
    ]  # fmt: skip
    summary = (
        f"soak: {found.soak.served} served, {found.soak.refused} told to come back, {hostile} hostile; "
        f"capacity {found.capacity:.0f} photos/s; at twice that {found.overload.served} served "
        f"({found.overload.served / found.overload.wall_s:.0f}/s), {found.overload.refused} refused; "
        f"{os.cpu_count()} cores, which the clients share"
    )
    notes = [
        summary,
        "memory: private (not file-backed) memory of the server and its processes, once a second; slope: Theil-Sen",
        *(f"wrong: {sentence}" for sentence in [*found.soak.wrong, *found.overload.wrong]),
        *(f"fault: {sentence}" for sentence in [*found.soak.faults, *found.overload.faults]),
        *(f"reindex: {sentence}" for sentence in found.reindexes.failures[:3]),
    ]
    return Verdict(_latencies(found), requirements, notes)


def _latencies(found: Found) -> Sequence[Latency]:
    rows = [latency_of("unloaded", PHOTO, found.alone.served_ms[PHOTO])]
    parts = (("soak", found.soak), ("twice the capacity", found.overload))
    for name, seen in parts:
        rows += [latency_of(name, kind, seen.served_ms[kind]) for kind in KINDS if seen.served_ms.get(kind)]
        refused = [ms for values in seen.refused_ms.values() for ms in values]
        rows += [latency_of(name, "refused", refused)] if refused else []
    return rows


def _all_done(reindexes: Reindexes) -> bool:
    return reindexes.done > 0 and not reindexes.failures


def _held(slope: float, *, told: bool) -> bool | None:
    return slope <= _SLOPE_MB_PER_MIN if told else None


def say(text: str) -> None:
    """Tells what is going on."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Runs it and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="of the soak")
    parser.add_argument("--clients", type=int, default=_CLIENTS)
    parser.add_argument("--alone-seconds", type=float, default=15.0)
    parser.add_argument("--overload-seconds", type=float, default=60.0)
    parser.add_argument("--folder", type=Path, help="kept, and used again; else a temporary one")
    parser.add_argument("--json", type=Path, help="file for the result")
    arguments = parser.parse_args()
    durations = Durations(arguments.seconds, arguments.alone_seconds, arguments.overload_seconds)
    with tempfile.TemporaryDirectory(prefix="vitrine-soak-") as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        say("drawing and indexing the sample catalog")
        catalog = prepare(folder)
        with running_server(folder) as server:
            found = soak(server, folder, catalog, durations, arguments.clients)
    verdict = verdict_of(found, durations)
    verdict.show()
    if arguments.json:
        verdict.write(arguments.json)
    return 0 if verdict.held else 1


if __name__ == "__main__":
    sys.exit(main())
