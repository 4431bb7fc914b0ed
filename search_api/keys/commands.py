"""``python -m search_api keys``: making, listing and revoking keys. Running servers follow within a second."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from indexer.cli.console import escaped, messages, output, plain_table
from indexer.cli.exit_codes import CANNOT_START, DONE
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.errors import ConfigurationError, VitrineError
from indexer.settings import Settings
from indexer.tenants import checked_tenant
from search_api.access import Scope
from search_api.audit import AuditEntry, AuditLog
from search_api.keys.file import KeyFile
from search_api.keys.records import KeyRecord, digest_of, key_id_of, new_key

_DAY_S = 86_400
_MAX_NAME_CHARS = 100


def build_parser() -> argparse.ArgumentParser:
    """The parser of the commands."""
    parser = argparse.ArgumentParser(prog="python -m search_api keys", description="Keys of the search API.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    create = _command(commands, "create", _create, "Make a key; it is shown once, and kept as a digest alone.")
    create.add_argument("--name", required=True, help="What the key is for; shown in lists and in the audit log.")
    create.add_argument(
        "--scope",
        required=True,
        action="append",
        choices=[scope.value for scope in Scope],
        help="What it may do; repeat for several.",
    )
    create.add_argument("--tenant", default="", metavar="NAME", help="Whose products it may see and change.")
    create.add_argument("--expires-days", type=float, metavar="N", help="Days until it is refused; else never.")
    listing = _command(commands, "list", _list, "Show all keys, without their secrets.")
    listing.add_argument("--json", action="store_true", help="Print JSON.")
    revoke = _command(commands, "revoke", _revoke, "Have a key refused from now on.")
    revoke.add_argument("key", help="Its id, as the list shows it.")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Runs a command; returns 2 if it cannot be done."""
    parsed = build_parser().parse_args(arguments)
    try:
        run: Callable[[argparse.Namespace, Settings], None] = parsed.run
        run(parsed, settings_of(parsed).settings)
    except VitrineError as error:
        messages().print(f"[bold red]error[/]: {escaped(str(error))}")
        return CANNOT_START
    return DONE


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace, Settings], None], meaning: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=meaning, description=meaning)
    add_settings_flags(parser)
    parser.set_defaults(run=run)
    return parser


def _create(arguments: argparse.Namespace, settings: Settings) -> None:
    name = arguments.name.strip()
    if not name or len(name) > _MAX_NAME_CHARS or not name.isprintable():
        raise ConfigurationError(
            "A key needs a name of its own.", f"Give one of 1 to {_MAX_NAME_CHARS} letters that can be seen."
        )
    days = arguments.expires_days
    if days is not None and not 0 < days <= 36_500:
        raise ConfigurationError(f"A key cannot expire in {days:g} days.", "Give a number from 0 to 36500.")
    tenant = checked_tenant(settings, arguments.tenant)
    key = new_key()
    now = int(time.time())
    record = KeyRecord(
        key_id_of(key),
        name,
        frozenset(map(Scope, arguments.scope)),
        tenant,
        digest_of(key.encode()),
        now,
        expires_at=None if days is None else now + int(days * _DAY_S),
    )
    with _on_record(settings, "create_key", record.key_id), _opened(settings) as file:
        file.add(record)
    print(key)  # noqa: T201 - alone on standard output, so that a script can take it
    messages().print(
        f"The key {escaped(name)!r} ({record.key_id}) for {', '.join(sorted(record.scopes))}; "
        "keep it now, it is not shown again."
    )


def _list(arguments: argparse.Namespace, settings: Settings) -> None:
    records: Sequence[KeyRecord] = ()
    if settings.keys_path.exists():
        with _opened(settings) as file:
            records = file.keys()
    out = output()
    if arguments.json:
        out.print_json(json.dumps([_described(record) for record in records]))
        return
    table = plain_table("id", "name", "scopes", "tenant", "state", "created", "expires", "last used")
    for record in records:
        told = _described(record)
        table.add_row(
            record.key_id,
            escaped(record.name),
            ", ".join(told["scopes"]),
            record.tenant,
            told["state"],
            *(told[name] or "never" for name in ("created_at", "expires_at", "last_used_at")),
        )
    out.print(table)


def _revoke(arguments: argparse.Namespace, settings: Settings) -> None:
    key_id = key_id_of(arguments.key) or arguments.key  # whoever has the whole key at hand need not take it apart
    with _on_record(settings, "revoke_key", key_id), _opened(settings) as file:
        record = file.revoke(key_id, time.time())
    messages().print(f"The key {escaped(record.name)!r} ({record.key_id}) is refused from now on.")


@contextmanager
def _opened(settings: Settings) -> Iterator[KeyFile]:
    file = KeyFile(settings.keys_path)
    try:
        yield file
    finally:
        file.close()


@contextmanager
def _on_record(settings: Settings, action: str, key_id: str) -> Iterator[None]:
    """Writes into the audit log what became of the block.

    Raises:
        AuditUnavailable: it cannot be written, and nothing is done.
    """
    log = AuditLog(settings.data_dir, max_bytes=settings.audit_max_bytes, keep_files=settings.audit_keep_files)
    log.check()
    outcome = "failed"
    try:
        yield
        outcome = "done"
    except VitrineError as error:
        outcome = error.code
        raise
    finally:
        log.append_after(AuditEntry(_this_user(), "", "", action, key_id, outcome))


def _this_user() -> str:
    try:
        return f"os:{getpass.getuser()}"
    except (OSError, KeyError):  # a container's user need have no name
        return f"os:{os.getuid()}"


def _described(record: KeyRecord) -> dict[str, Any]:
    state = "live"
    if record.revoked_at is not None:
        state = "revoked"
    elif not record.is_live(time.time()):
        state = "expired"
    return {
        "id": record.key_id,
        "name": record.name,
        "scopes": sorted(record.scopes),
        "tenant": record.tenant,
        "state": state,
        "created_at": _moment(record.created_at),
        "expires_at": _moment(record.expires_at),
        "revoked_at": _moment(record.revoked_at),
        "last_used_at": _moment(record.last_used_at),
    }


def _moment(at_s: int | None) -> str | None:
    return None if at_s is None else datetime.fromtimestamp(at_s, UTC).isoformat(timespec="minutes")
