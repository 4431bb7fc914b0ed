"""Converted towers on disk: written whole or not at all, and trusted only as far as their hashes.

::

    MODELS_DIR/SPACE_ID/openvino/
      images-float32.json            versions, files and their SHA-256; replaced atomically, last
      images-float32-3f2a9c1b.xml    the graph
      images-float32-3f2a9c1b.bin    its weights
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from indexer.atomic_file import replace_file, sync
from indexer.embedding.numerics import ConvertedTower, NumberFormat
from indexer.errors import StoreUnavailable
from indexer.spaces import EmbeddingSpace

_log = logging.getLogger(__name__)
_LAYOUT = 1
"""Changes when the conversion does, so that older files are made anew."""
_LEFT_ALONE_S = 600.0


@dataclass(frozen=True, slots=True)
class StoredTower:
    """A tower that lies on disk.

    Attributes:
        path: of the graph; the weights lie beside it.
        fingerprint: of both files.
        note: what was said when it was stored, such as which layers are int8.
    """

    path: Path
    fingerprint: str
    note: str = ""


class TowerStore:
    """The towers of one space.

    Args:
        folder: of the space.
        space: whose weights were converted.
        versions: of the packages that convert; a tower of others is stale.
    """

    def __init__(self, folder: Path, space: EmbeddingSpace, versions: Mapping[str, str]) -> None:
        self._folder = folder / "openvino"
        self._space = space
        self._versions = dict(versions)

    def find(self, tower: ConvertedTower, number_format: NumberFormat) -> StoredTower | None:
        """A tower whose files are what was written, by these versions and for these weights; else None."""
        path = self._record_path(tower, number_format)
        try:
            record = json.loads(path.read_text("utf-8"))
            if record["layout"] != _LAYOUT or record["versions"] != self._versions:
                _log.info("%s was made by other versions and is made anew", path)
                return None
            if record["space"]["weights_fingerprint"] != self._space.weights_fingerprint:
                return None
            found = {suffix: self._folder / f"{record['stem']}.{suffix}" for suffix in ("xml", "bin")}
            if any(_sha256(file) != record["sha256"][suffix] for suffix, file in found.items()):
                _log.warning("the files of %s are not what was written and are made anew", path)
                return None
            return StoredTower(found["xml"], _fingerprint(record["sha256"]), record["note"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("%s or its files are damaged (%s) and are made anew", path, error)
            return None

    def store(
        self, tower: ConvertedTower, number_format: NumberFormat, write: Callable[[Path], None], note: str = ""
    ) -> StoredTower:
        """Stores a tower in place of what there was.

        Args:
            tower, number_format: which.
            write: writes the graph to the given ``.xml`` and the weights to a ``.bin`` beside it.
            note: for people.

        Raises:
            StoreUnavailable: the folder cannot be written to.
        """
        name = f"{tower}-{number_format}"
        # a name of its own: whoever has the old files open, or writes at the same time, is not disturbed
        stem = f"{name}-{secrets.token_hex(4)}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{stem}.xml"
            write(path)
            hashes = {suffix: _sha256(path.with_suffix(f".{suffix}")) for suffix in ("xml", "bin")}
            for suffix in hashes:
                sync(path.with_suffix(f".{suffix}"))
            record = {
                "layout": _LAYOUT,
                "versions": self._versions,
                "space": self._space.to_json(),
                "stem": stem,
                "sha256": hashes,
                "note": note,
            }
            replace_file(self._record_path(tower, number_format), json.dumps(record, indent=1, ensure_ascii=False))
            self._remove_old(name, stem)
        except OSError as error:
            raise StoreUnavailable(
                f"The converted model cannot be written to {self._folder}: {error.strerror or error}.",
                "Check the disk's space and rights, or set backend to torch.",
            ) from error
        return StoredTower(path, _fingerprint(hashes), note)

    def _remove_old(self, name: str, stem: str) -> None:
        for old in self._folder.glob(f"{name}-*"):
            # another process may be about to open what it has just written
            if old.stem != stem and time.time() - old.stat().st_mtime > _LEFT_ALONE_S:
                old.unlink(missing_ok=True)

    def _record_path(self, tower: ConvertedTower, number_format: NumberFormat) -> Path:
        return self._folder / f"{tower}-{number_format}.json"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fingerprint(hashes: Mapping[str, str]) -> str:
    return hashlib.sha256("".join(hashes[key] for key in sorted(hashes)).encode()).hexdigest()[:12]
