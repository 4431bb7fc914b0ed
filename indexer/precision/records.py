"""What was measured of one embedding space, as files beside its converted towers.

::

    MODELS_DIR/SPACE_ID/
      agreement-openvino-images-int8-cpu.json     one for each backend, tower, number format and device
      tuned.json                                  what ``tune`` measured, and the order of preference it came to
      sample.npz                                  what it measured on
      openvino/                                   see ``tower_files``
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from indexer.atomic_file import replace_file
from indexer.embedding.numerics import Numerics, Tower
from indexer.errors import StoreUnavailable
from indexer.precision.agreement import Agreement
from indexer.precision.samples import Sample

_log = logging.getLogger(__name__)
_TUNED = "tuned.json"


@dataclass(frozen=True, slots=True)
class Tuned:
    """What ``tune`` came to.

    Attributes:
        space_id: of the model that was measured.
        model: its name, for people.
        processor: that was measured; on another one it says nothing.
        order: ways to compute that agreed, the best first; float32 of torch is always among them.
        measured_at: ISO 8601, UTC.
        report: all that was measured, as ``tune --json`` prints it.
    """

    space_id: str
    model: str
    processor: str
    order: tuple[Numerics, ...]
    measured_at: str
    report: Mapping[str, Any]


class SpaceRecords:
    """The records of one space; what is damaged counts as missing.

    Args:
        folder: of the space.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def agreement(self, numerics: Numerics, tower: Tower, key: str) -> Agreement | None:
        """What was measured of a tower, if it was measured with this key."""
        value = _read(self._agreement_path(numerics, tower))
        if value is None or value.get("key") != key:
            return None
        try:
            return Agreement(**value)
        except TypeError:
            return None

    def save_agreement(self, numerics: Numerics, agreement: Agreement) -> None:
        """Replaces what was measured before.

        Raises:
            StoreUnavailable: it cannot be written.
        """
        self._write(self._agreement_path(numerics, agreement.tower), asdict(agreement))

    def tuned(self) -> Tuned | None:
        """What ``tune`` came to; None if it did not run for this space."""
        return _tuned(self.folder / _TUNED)

    def save_tuned(self, tuned: Tuned) -> None:
        """Replaces what it came to before.

        Raises:
            StoreUnavailable: it cannot be written.
        """
        self._write(self.folder / _TUNED, asdict(tuned))

    def sample(self) -> Sample | None:
        """What ``tune`` measured on."""
        path = self.folder / "sample.npz"
        try:
            return Sample.load(path)
        except FileNotFoundError:
            return None
        except Exception as error:  # noqa: BLE001 - numpy and zipfile raise what they like for a damaged file
            _log.warning("%s is damaged (%s); run: python -m indexer tune", path, error)
            return None

    def save_sample(self, sample: Sample) -> None:
        """Keeps it, so that what is stale or damaged can be made and measured anew.

        Raises:
            StoreUnavailable: it cannot be written.
        """
        try:
            sample.save(self.folder / "sample.npz")
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def _agreement_path(self, numerics: Numerics, tower: Tower) -> Path:
        name = f"agreement-{numerics.backend}-{tower}-{numerics.format_of(tower)}-{numerics.device}.json"
        return self.folder / name

    def _write(self, path: Path, value: Mapping[str, Any]) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, json.dumps(value, indent=1, ensure_ascii=False))
        except OSError as error:
            raise _unwritable(self.folder, error) from error


def all_tuned(models_dir: Path) -> Iterator[Tuned]:
    """What ``tune`` came to, of every space, in order of their ids."""
    for path in sorted(models_dir.glob(f"*/{_TUNED}")):
        if tuned := _tuned(path):
            yield tuned


def all_agreements(models_dir: Path) -> Sequence[tuple[str, Agreement]]:
    """What was measured of every space, with the space's id."""
    found = []
    for path in sorted(models_dir.glob("*/agreement-*.json")):
        value = _read(path)
        try:
            found.append((path.parent.name, Agreement(**(value or {}))))
        except TypeError:
            continue
    return found


def _tuned(path: Path) -> Tuned | None:
    value = _read(path)
    if value is None:
        return None
    try:
        order = tuple(Numerics(**item) for item in value["order"])
        return Tuned(**value | {"order": order})
    except (TypeError, KeyError) as error:
        _log.warning("%s is damaged (%s); run: python -m indexer tune", path, error)
        return None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        _log.warning("%s is damaged (%s)", path, error)
        return None
    return value if isinstance(value, dict) else None


def _unwritable(folder: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"What was measured of the model cannot be written to {folder}: {error.strerror or error}.",
        "Check the disk's space and rights.",
    )
