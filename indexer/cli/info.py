"""``info``: versions and effective settings."""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import SecretStr

from indexer.cli.console import escaped, output, plain_table
from indexer.cli.exit_codes import DONE
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.precision.records import all_agreements, all_tuned
from indexer.settings import EffectiveSettings, Settings

_PACKAGES = (
    "vitrine",
    "torch",
    "open_clip_torch",
    "openvino",
    "nncf",
    "transformers",
    "qdrant-edge-py",
    "qdrant-client",
    "celery",
    "redis",
    "pillow",
)


def add_command(commands: Any) -> None:
    """Adds ``info``."""
    parser = commands.add_parser("info", help="Show versions and the effective settings, and where each comes from.")
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    add_settings_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs ``info``."""
    effective = settings_of(arguments)
    versions = {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES}
    models_dir = effective.settings.models_dir
    tuned, agreements = list(all_tuned(models_dir)), all_agreements(models_dir)
    out = output()
    if arguments.json:
        values = {
            name: {"value": _shown(effective, name), "from": effective.origins[name]} for name in Settings.model_fields
        }
        value: dict[str, Any] = {"versions": versions, "profile": effective.profile, "settings": values}
        value["tuned"] = [asdict(item) for item in tuned]
        value["agreements"] = [asdict(item) | {"space_id": space, "passes": item.passes} for space, item in agreements]
        out.print_json(json.dumps(value))
        return DONE
    out.print(", ".join(f"{name} {number}" for name, number in versions.items()))
    out.print(f"profile {effective.profile}")
    for item in tuned:
        chosen = ", then ".join(map(str, item.order))
        out.print(f"tuned for {escaped(item.model)}: {escaped(chosen)} ({item.measured_at}, space {item.space_id})")
    for space_id, agreement in agreements:
        verdict = "agrees" if agreement.passes else "is refused"
        out.print(f"{space_id}, {agreement.tower} in {agreement.way}, {verdict}: {escaped(agreement.figures)}")
    table = plain_table("setting", "value", "from", "")
    for name, field in Settings.model_fields.items():
        table.add_row(name, escaped(_shown(effective, name)), effective.origins[name], field.description)
    out.print(table)
    return DONE


def _shown(effective: EffectiveSettings, name: str) -> str:
    value = getattr(effective.settings, name)
    if isinstance(value, SecretStr):
        return "set" if value.get_secret_value() else ""
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
