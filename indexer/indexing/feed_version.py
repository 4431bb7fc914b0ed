"""What tells one content of a feed file from the next, and when it was written."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def version_of_file(path: Path) -> str:
    """Size and time of the last change, as ``RunPlan.feed_version`` has it: ``BYTES-NANOSECONDS``."""
    status = path.stat()
    return f"{status.st_size}-{status.st_mtime_ns}"


def written_at(feed_version: str) -> datetime | None:
    """When the file of such a version was written, in UTC; None of a version that does not say."""
    match = re.fullmatch(r"\d+-(\d{1,20})", feed_version)
    return _EPOCH + timedelta(microseconds=int(match[1]) // 1000) if match else None
