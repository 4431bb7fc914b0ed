"""What the embedded engine raises, its panics too, as this program's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.errors import StoreDamaged, StoreError, StoreUnavailable

REMEDIES: dict[type[StoreError], str] = {
    StoreDamaged: "Roll back to the collection before it, or index the feed again.",
    StoreUnavailable: "Check the disk's space and the folder's rights.",
}
_FAILURES: dict[type[StoreError], str] = {StoreDamaged: "cannot be read", StoreUnavailable: "cannot be written"}


@contextmanager
def engine(folder: Path, kind: type[StoreError]) -> Iterator[None]:
    """Turns what the engine raises in the block into an error of a kind.

    Args:
        folder: of the shard.
        kind: ``StoreDamaged`` for reading, ``StoreUnavailable`` for writing.
    """
    try:
        yield
    except Exception as error:
        raise kind(f"The shard {folder} {_FAILURES[kind]}: {_first_line(error)}.", REMEDIES[kind]) from error
    except BaseException as panic:
        if type(panic).__name__ != "PanicException":  # pyo3's, which no module exports
            raise
        raise kind(f"The shard {folder} {_FAILURES[kind]}: {_first_line(panic)}.", REMEDIES[kind]) from panic


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
