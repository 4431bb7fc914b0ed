"""What the machine gives: versions, disk, permissions, clock."""

from __future__ import annotations

import os
import platform
import shutil
import stat
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path

from indexer.doctor.findings import Finding, Notes
from indexer.settings import Settings
from indexer.store.disk_room import disk_bytes

_LEAST_FREE_FILES = 10_000
_CLOCK_TOLERANCE = timedelta(minutes=2)
_BUILT = datetime(2026, 1, 1, tzinfo=UTC)
"""No machine on which this program runs is in a time before this."""


def check_versions(settings: Settings) -> Iterable[Finding]:
    """See ``CheckFunction``: whether what is installed is what this program asks for."""
    # of the packaging tools, and only needed here
    from packaging.requirements import Requirement

    notes = Notes("versions")
    try:
        asked = [Requirement(text) for text in requires("vitrine") or []]
    except PackageNotFoundError:
        notes.error("not_installed", "This program is run without being installed.", "Run: make install.")
        return notes.made
    extras = {"openvino"} if settings.backend == "openvino" else set()
    for requirement in asked:
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            continue
        try:
            found = distribution(requirement.name).version
        except PackageNotFoundError:
            notes.error("package_missing", f"{requirement.name} is not installed.", "Run: make install.")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            notes.error(
                "package_version",
                f"{requirement.name} {found} is installed; {requirement} is asked for.",
                "Run: make install, which takes the versions of constraints.txt.",
            )
    if not notes.made:
        own = distribution("vitrine").version
        notes.ok(f"vitrine {own}, Python {platform.python_version()}, {len(asked)} requirements looked at.")
    return notes.made


def check_disk(settings: Settings) -> Iterable[Finding]:
    """See ``CheckFunction``: whether the data folder's disk has room for what comes next."""
    notes = Notes("disk")
    folder = _nearest(settings.data_dir)
    usage, facts = shutil.disk_usage(folder), os.statvfs(folder)
    least = settings.disk_least_free_bytes
    if facts.f_flag & os.ST_RDONLY:
        notes.error("disk_read_only", f"The disk of {folder} is mounted read-only.", "Mount it for writing.")
    if usage.free < least:
        notes.error(
            "disk_low",
            f"The disk of {folder} has {_gigabytes(usage.free)} left; disk_least_free_bytes is {_gigabytes(least)}.",
            "Make room: python -m indexer prune, or a larger disk.",
        )
    elif usage.free < (largest := _largest_collection_bytes(settings)):
        notes.warning(
            "disk_tight",
            f"The disk of {folder} has {_gigabytes(usage.free)} left; a reindex fills {_gigabytes(largest)} more.",
            "Make room before the next reindex: python -m indexer prune, or a larger disk.",
        )
    if facts.f_files and facts.f_favail < _LEAST_FREE_FILES:
        notes.error("disk_files_low", f"The disk of {folder} can take {facts.f_favail:,} more files.", "Delete files.")
    if not notes.made:
        notes.ok(f"{_gigabytes(usage.free)} of {_gigabytes(usage.total)} free.")
    return notes.made


def check_permissions(settings: Settings) -> Iterable[Finding]:
    """See ``CheckFunction``: whether this user may read and write what is there, and others may not."""
    notes = Notes("permissions")
    root = settings.data_dir
    try:
        is_there = root.exists()
    except PermissionError:
        notes.error("folder_unwritable", f"This user may not enter the folders above {root}.", "Give it the right.")
        return notes.made
    if not is_there:
        folder = _nearest(root)
        if not os.access(folder, os.W_OK | os.X_OK):
            notes.error(
                "folder_unwritable", f"{root} is not there, and {folder} cannot be written to.", "Name another."
            )
        else:
            notes.ok(f"{root} is not there yet; the first index run makes it.")
        return notes.made
    if not root.is_dir():
        notes.error("data_dir_no_folder", f"{root} (data_dir) is no folder.", "Name another with --data-dir.")
        return notes.made
    paths = [root, *sorted(root.glob("*")), *sorted((root / "store").glob("*"))]
    for path in paths:
        wanted = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
        if not os.access(path, wanted):
            notes.error(
                "folder_unwritable",
                f"This user may not read and write {path}.",
                "Give it the right, or run as its owner.",
            )
        elif path.stat().st_mode & stat.S_IWOTH:
            notes.warning("writable_by_all", f"Every user of this machine may write to {path}.", f"chmod o-w {path}")
    keys = settings.keys_path
    if keys.is_file() and keys.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        notes.warning(
            "keys_readable", f"Other users of this machine may read the keys' hashes in {keys}.", f"chmod 600 {keys}"
        )
    if not notes.made:
        notes.ok(f"{root} can be read and written.")
    return notes.made


def check_clock(settings: Settings) -> Iterable[Finding]:
    """See ``CheckFunction``: whether anything was written in what is the future now; versions of events are times."""
    notes = Notes("clock")
    now = datetime.now(UTC)
    if now < _BUILT:
        notes.error("clock_wrong", f"This machine believes that it is {now:%Y-%m-%d}.", "Set its clock (NTP).")
    root = settings.data_dir
    files = [path for pattern in ("*", "store/aliases/*", "store/collections/*/*.json") for path in root.glob(pattern)]
    latest = max((path.stat().st_mtime for path in files if path.exists()), default=0.0)
    ahead = datetime.fromtimestamp(latest, UTC) - now
    if ahead > _CLOCK_TOLERANCE:
        notes.error(
            "clock_behind",
            f"Files of {root} were written {ahead.total_seconds() / 60:,.0f} minutes from now.",
            "Set the clock (NTP): leases, expiry of keys and the order of events go by it.",
        )
    if not notes.made:
        notes.ok(f"{now:%Y-%m-%d %H:%M:%S} UTC; nothing was written later.")
    return notes.made


def _nearest(path: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _largest_collection_bytes(settings: Settings) -> int:
    sizes = [0]
    for folder in (settings.data_dir / "store" / "collections").glob("*"):
        try:
            sizes.append(disk_bytes(folder))
        except OSError:
            continue  # deleted meanwhile
    return max(sizes)


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:,.1f} GB"
