"""``tune``: every way to compute that this machine has, measured; the best one whose vectors agree is recorded."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from indexer.embedding.build import Builder, versions_of
from indexer.embedding.numerics import DeviceName, NumberFormat, Numerics
from indexer.errors import ConfigurationError, EmbedderError
from indexer.precision.agreement import MIN_COSINE, MIN_OVERLAP, Agreement
from indexer.precision.gate import Gate
from indexer.precision.records import SpaceRecords, Tuned
from indexer.precision.samples import Sample
from indexer.precision.speed import Speed, measured_speed
from indexer.processors import processor_name
from indexer.spaces import EmbeddingSpace

_log = logging.getLogger(__name__)
WORTH = 1.05
"""Times faster that something less exact must be to be preferred."""
_TEXT = "a photo of a black teapot with white dots"
_EXACTNESS = {"float32": 0, "bf16": 1, "int8": 2}


@dataclass(frozen=True, slots=True)
class TuneRow:
    """A way to compute.

    Attributes:
        numerics: what.
        agreements: of its towers; empty if it could not be measured.
        speed: None if it could not be measured, or is refused.
        refused: why it is not used; empty if it may be.
    """

    numerics: Numerics
    agreements: tuple[Agreement, ...] = ()
    speed: Speed | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class TuneReport:
    """All that was measured and what follows.

    Attributes:
        rows: in the order of measuring.
        order: ways that may be used, the best first.
        reason: why the first one.
    """

    rows: tuple[TuneRow, ...]
    order: tuple[Numerics, ...]
    reason: str


class Tuning:
    """Measures one model on this machine.

    Args:
        builder: of its embedders.
        records: of its space.
        sample: to measure on; kept there.
        ways: to compute, torch's float32 on the CPU first.
        batch_size: pictures in one forward pass.
    """

    def __init__(
        self, builder: Builder, records: SpaceRecords, sample: Sample, ways: Sequence[Numerics], batch_size: int
    ) -> None:
        self._builder = builder
        self._records = records
        self._ways = ways
        self.sample = sample
        self._gate = Gate(builder, records, lambda: sample)
        size = builder.space.image_size_px
        self._batch = np.resize(sample.measured, (batch_size, size, size, 3))

    @property
    def space(self) -> EmbeddingSpace:
        """Of the model that is measured."""
        return self._builder.space

    def run(self, tell: Callable[[str], None]) -> TuneReport:
        """Measures and records.

        Args:
            tell: called with what is being done.

        Raises:
            StoreUnavailable: the records cannot be written.
            ModelFailed: float32 itself fails.
        """
        self._records.save_sample(self.sample)
        rows = []
        for numerics in self._ways:
            tell(f"measuring {numerics}")
            rows.append(self._measured(numerics))
        order = preferred(rows)
        report = TuneReport(tuple(rows), order, _reason(rows, order[0]))
        space = self._builder.space
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._records.save_tuned(
            Tuned(space.space_id, space.model, processor_name(), order, now, report_json(report, self.sample))
        )
        return report

    def _measured(self, numerics: Numerics) -> TuneRow:
        try:
            if numerics.images == "int8":
                if self.sample.fits_int8:
                    return TuneRow(numerics, refused=f"{self.sample.fits_int8}.")
                self._gate.make_int8(self.sample)
            embedder = self._builder.build(numerics)
            agreements: tuple[Agreement, ...] = ()
            if not numerics.is_reference:
                agreements = self._gate.agreements(numerics, anew=True)
            speed = measured_speed(embedder, self._batch, _TEXT)
        except (EmbedderError, ConfigurationError) as error:
            if numerics.is_reference:
                raise
            return TuneRow(numerics, refused=str(error))
        refused = [f"{item.tower}: {item.figures}" for item in agreements if not item.passes]
        return TuneRow(numerics, agreements, speed, "; ".join(refused))


def ways_here(device: DeviceName) -> tuple[Numerics, ...]:
    """Every way to compute that this machine has; without openvino, torch's alone."""
    from indexer.embedding import openvino_backend

    try:
        openvino_backend.check_installed()
    except ConfigurationError as error:
        _log.warning("%s", error)
        return candidates(device, ())
    return candidates(device, openvino_backend.supported_formats())


def candidates(device: DeviceName, formats: Iterable[str]) -> tuple[Numerics, ...]:
    """Every way to compute that can be asked for here.

    Args:
        device: ``cuda`` adds the GPU's.
        formats: what openvino computes on this processor; empty without openvino.
    """
    ways = [Numerics(), Numerics("torch", "bf16", "bf16")]
    if device == "cuda":
        ways += [Numerics(device="cuda"), Numerics("torch", "bf16", "bf16", "cuda")]
    known = set(formats)
    ways += [Numerics("openvino", "float32", "float32")] if "float32" in known else []
    ways += [Numerics("openvino", "bf16", "bf16")] if "bf16" in known else []
    ways += [Numerics("openvino", "int8", "float32")] if "int8" in known else []
    return tuple(ways)


def preferred(rows: Sequence[TuneRow]) -> tuple[Numerics, ...]:
    """Ways that may be used, the fastest with pictures first, each with the fastest text tower that may stand there.

    What is less exact must be faster by ``WORTH`` than what is more exact.

    Args:
        rows: torch's float32 on the CPU among them.
    """
    allowed = [row for row in rows if not row.refused and row.speed is not None]
    ranked = sorted(allowed, key=lambda row: (-_rate(row), _EXACTNESS[row.numerics.images]))
    order: list[TuneRow] = []
    for row in ranked:
        place = len(order)
        while place and _is_more_exact(row, order[place - 1]) and _rate(row) * WORTH >= _rate(order[place - 1]):
            place -= 1
        order.insert(place, row)
    chosen = [replace(row.numerics, texts=_text_format(row.numerics, rows)) for row in order]
    return tuple(dict.fromkeys(chosen))


def report_json(report: TuneReport, sample: Sample) -> dict[str, Any]:
    """As plain JSON values."""
    return {
        "processor": processor_name(),
        "versions": dict(versions_of("torch", "openvino", "nncf", "open_clip_torch")),
        "sample": {
            "source": sample.source,
            "pictures": len(sample.measured),
            "calibration": len(sample.calibration),
            "texts": len(sample.texts),
        },
        "limits": {"cosine": MIN_COSINE, "overlap": MIN_OVERLAP},
        "rows": [
            {
                "numerics": asdict(row.numerics),
                "speed": asdict(row.speed) if row.speed else None,
                "agreements": [asdict(item) for item in row.agreements],
                "refused": row.refused,
            }
            for row in report.rows
        ],
        "order": [asdict(item) for item in report.order],
        "reason": report.reason,
    }


def _text_format(numerics: Numerics, rows: Sequence[TuneRow]) -> NumberFormat:
    """Of the same backend and device; torch has both towers in one format."""
    if numerics.backend == "torch":
        return numerics.texts
    best: NumberFormat = "float32"
    here = [row for row in rows if row.numerics.has_engine_of(numerics)]
    times = {
        row.numerics.texts: row.speed.text_ms
        for row in here
        if row.speed and all(item.passes for item in row.agreements if item.tower == "texts")
    }
    for number_format, text_ms in times.items():
        if best in times and text_ms * WORTH < times[best]:
            best = number_format
    return best


def _rate(row: TuneRow) -> float:
    return row.speed.images_per_s if row.speed else 0.0


def _is_more_exact(row: TuneRow, other: TuneRow) -> bool:
    return _EXACTNESS[row.numerics.images] < _EXACTNESS[other.numerics.images]


def _reason(rows: Sequence[TuneRow], chosen: Numerics) -> str:
    row = next(item for item in rows if item.numerics.has_images_of(chosen))
    base = next(item for item in rows if item.numerics.is_reference and item.numerics.device == "cpu")
    if row is base:
        return f"{chosen}: nothing faster agrees with it closely enough."
    times = _rate(row) / _rate(base)
    return f"{chosen}: {times:.1f} x the pictures a second of torch float32, and its vectors agree with float32's."
