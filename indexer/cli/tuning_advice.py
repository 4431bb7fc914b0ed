"""What to do where a run took long in the slowest way that the model can be computed."""

from __future__ import annotations

import shlex

from indexer.embedding.numerics import Numerics
from indexer.ledger.port import RunRecord
from indexer.precision.records import all_tuned
from indexer.settings import Settings

_LONG_S = 60
"""A run that is over sooner is not worth the minutes that measuring takes."""
_MANY = 200
"""Pictures; fewer can have taken long for other reasons, downloads for one."""


def tuning_advice(record: RunRecord, settings: Settings) -> str:
    """A sentence with a command; empty where there is nothing to gain, or where it was measured or chosen already.

    Args:
        record: of a run that is over.
        settings: that it ran with.
    """
    if record.took_s < _LONG_S or record.counts.embedded < _MANY or record.embedded_with != (str(Numerics()),):
        return ""
    if settings.dispatcher != "inline" or (settings.backend, settings.precision) != ("auto", "auto"):
        return ""
    if any(item.space_id in record.collection for item in all_tuned(settings.models_dir)):
        return ""
    return (
        "The model ran in torch's float32, as nothing else was measured on this machine. OpenVINO, bf16 or int8 may be "
        f"several times faster: python -m indexer tune {shlex.quote(record.plan.feed)}"
    )
