"""``info``: versions and effective settings."""

from __future__ import annotations

import argparse
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import SecretStr

from indexer.cli.console import escaped, output, plain_table
from indexer.cli.exit_codes import DONE
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.settings import EffectiveSettings, Settings

_PACKAGES = (
    "vitrine",
    "torch",
    "open_clip_torch",
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
    out = output()
    if arguments.json:
        values = {
            name: {"value": _shown(effective, name), "from": effective.origins[name]} for name in Settings.model_fields
        }
        out.print_json(json.dumps({"versions": versions, "profile": effective.profile, "settings": values}))
        return DONE
    out.print(", ".join(f"{name} {number}" for name, number in versions.items()))
    out.print(f"profile {effective.profile}")
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
