"""All checks, side by side, each with a limit of time: the doctor ends, whatever hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import entry_points

from indexer.doctor.findings import CheckFunction, Finding, Level, Notes
from indexer.doctor.isolated import run_isolated
from indexer.doctor.machine_check import check_clock, check_disk, check_permissions, check_versions
from indexer.doctor.model_check import check_model
from indexer.doctor.records_check import check_events, check_ledger
from indexer.doctor.settings_check import check_settings
from indexer.doctor.store_check import check_aliases, check_leftovers
from indexer.errors import VitrineError
from indexer.settings import Settings

LOADING_TAKES = 10
"""Times the limit of a check that loading the model may take."""
_SPARE_S = 0.5


@dataclass(slots=True)
class _Running:
    name: str
    limit_s: float
    begun_s: float = field(default_factory=time.monotonic)
    findings: list[Finding] | None = None


def examine(settings: Settings, *, limit_s: float, load_model: bool = False) -> Sequence[Finding]:
    """Looks at everything that the settings name, and changes nothing.

    Args:
        settings: effective ones.
        limit_s: of each check; one that takes longer is a finding itself.
        load_model: loads the model too, for ten times as long, to compare its space with the catalog's.

    Returns:
        Findings in the order of the checks; each check has at least one.
    """
    running = []
    for name, check, limit in _checks(settings, limit_s, load_model):
        running.append(item := _Running(name, limit))
        # a thread that hangs in a call of the system must not keep the process from ending
        threading.Thread(target=_run, args=(item, check, settings), name=f"doctor {name}", daemon=True).start()
    return [finding for item in running for finding in _awaited(item)]


def worst(findings: Sequence[Finding]) -> Level:
    """The worst level among findings."""
    levels = {item.level for item in findings}
    return next((level for level in (Level.ERROR, Level.WARNING) if level in levels), Level.OK)


def _checks(settings: Settings, limit_s: float, load_model: bool) -> Iterable[tuple[str, CheckFunction, float]]:
    here: list[tuple[str, Callable[[Settings], Iterable[Finding]]]] = [
        ("settings", check_settings),
        ("versions", check_versions),
        ("disk", check_disk),
        ("permissions", check_permissions),
        ("clock", check_clock),
        ("model", check_model),
    ]
    if settings.store == "edge":
        here.append(("alias", check_aliases))
    for name, check in here:
        yield name, check, limit_s
    if settings.store == "edge":
        yield "store", partial(_isolated, "store", limit_s), limit_s
        yield "leftovers", check_leftovers, limit_s
    else:
        yield "store", _server, limit_s
    if load_model:
        yield "space", partial(_isolated, "space", LOADING_TAKES * limit_s), LOADING_TAKES * limit_s
    yield "ledger", check_ledger, limit_s
    yield "events", check_events, limit_s
    if settings.redis_url.get_secret_value():
        for entry_point in entry_points(group="vitrine.checkups"):
            yield "broker", partial(_loaded, entry_point.load), limit_s


def _isolated(name: str, limit_s: float, settings: Settings) -> Iterable[Finding]:
    return run_isolated(name, settings, limit_s)


def _loaded(load: Callable[[], CheckFunction], settings: Settings) -> Iterable[Finding]:
    return load()(settings)


def _server(settings: Settings) -> Iterable[Finding]:
    # qdrant_client takes a second to import
    from indexer.doctor.server_check import check_server

    return check_server(settings)


def _run(item: _Running, check: CheckFunction, settings: Settings) -> None:
    notes = Notes(item.name)
    try:
        notes.made += check(settings)
    except TimeoutError:
        return  # told by who waits
    except VitrineError as error:
        notes.error(error.code, error.reason, error.remedy)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with an installation, the other checks are told
        notes.error("check_failed", f"It could not be looked at: {type(error).__name__}: {error}", "Look at its files.")
    item.findings = notes.made


def _awaited(item: _Running) -> Sequence[Finding]:
    while item.findings is None and time.monotonic() < item.begun_s + item.limit_s + _SPARE_S:
        time.sleep(0.02)
    if item.findings is not None:
        return item.findings
    notes = Notes(item.name)
    notes.error(
        "no_answer",
        f"It did not answer within {item.limit_s:g} s.",
        "A server that is away, a disk that hangs, or a machine that is too busy; --timeout gives it longer.",
    )
    return notes.made
