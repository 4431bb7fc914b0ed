"""A flag for every setting, made from the settings themselves."""

from __future__ import annotations

import argparse
from typing import Any

from indexer.settings import EffectiveSettings, Settings, load_settings
from indexer.tenants import checked_tenant


def add_settings_flags(parser: argparse.ArgumentParser) -> None:
    """Adds ``--profile`` and one flag for each setting; none has a default, so that only what is given counts."""
    group = parser.add_argument_group("settings", "Each may also stand in a profile or the environment; see: info.")
    group.add_argument("--profile", default="", metavar="NAME", help="A file under configs/, or a path to one.")
    for name, field in Settings.model_fields.items():
        group.add_argument(f"--{name.replace('_', '-')}", metavar=_metavar(field.annotation), help=field.description)


def add_tenant_flag(parser: argparse.ArgumentParser) -> None:
    """Adds ``--tenant``."""
    parser.add_argument(
        "--tenant", default="", metavar="NAME", help="Whose products: needed where the setting tenants is on."
    )


def tenant_of(arguments: argparse.Namespace, settings: Settings) -> str:
    """The tenant that a command is for; empty where there are none.

    Raises:
        ConfigurationError: see ``checked_tenant``.
    """
    return checked_tenant(settings, arguments.tenant)


def settings_of(arguments: argparse.Namespace) -> EffectiveSettings:
    """Effective settings of a command.

    Raises:
        ConfigurationError: see ``load_settings``.
    """
    flags = {name: getattr(arguments, name) for name in Settings.model_fields}
    return load_settings(flags, profile=arguments.profile)


def _metavar(annotation: Any) -> str:
    return {int: "N", float: "X"}.get(annotation, "VALUE")
