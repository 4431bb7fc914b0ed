"""Promotion, rollback and pruning by themselves, without a reindex around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from indexer.errors import PromotionImpossible
from indexer.ledger.reindexes import ReindexRecord, ReindexState
from indexer.reindex.parts import SwitchParts
from indexer.reindex.promotion import LOOKED_AT, SWITCHED, Promotion, alias_named, reindexing_alone, space_of
from indexer.reindex.rollback import Rollback, RolledBack
from indexer.store.port import Alias

_LOCK_WAIT_S = 60.0
_MAY_SERVE = frozenset({ReindexState.FILLING, ReindexState.VERIFIED, ReindexState.PROMOTING})


def promote_latest(parts: SwitchParts, space_id: str = "") -> ReindexRecord:
    """Promotes the latest reindex that waits for it, or goes on with a promotion that was interrupted.

    Args:
        parts: of the installation.
        space_id: of the reindex; empty if only one waits.

    Raises:
        PromotionImpossible: none waits, or several do, or it would lose what came since it was verified.
        StoreLocked: another reindex is under way, or another process is writing.
        VitrineError: a part failed.
    """
    with reindexing_alone(parts.store, parts.ledger, parts.catalog, wait_s=_LOCK_WAIT_S) as lease:
        waiting = [
            record
            for record in _latest(parts).values()
            if record.state in {ReindexState.VERIFIED, ReindexState.PROMOTING}
            and record.alias.endswith(f"--{space_id}" if space_id else "")
        ]
        if not waiting:
            raise PromotionImpossible(
                "No verified reindex waits to be promoted.", "Run: python -m indexer reindex FEED --promote manual."
            )
        if len(waiting) > 1:
            spaces = ", ".join(alias_named(record.alias).space_id for record in waiting)
            raise PromotionImpossible(f"Reindexes of several spaces wait: {spaces}.", "Choose one with --space.")
        (record,) = waiting
        promotion = Promotion(parts.store, parts.ledger, parts.catch_up)
        return promotion.promote(record, space_of(parts.store, record.target), lease)


def promote_collection(parts: SwitchParts, collection: str) -> str:
    """Makes the alias of a collection's own space answer with it, whatever it is: after a restore, for one.

    Nothing is verified and no event brought in.

    Returns:
        The alias's name.

    Raises:
        CollectionNotFound: there is none of that name.
        StoreLocked: a reindex is under way, or another process is writing.
    """
    with reindexing_alone(parts.store, parts.ledger, parts.catalog, wait_s=_LOCK_WAIT_S):
        alias = Alias(parts.catalog, space_of(parts.store, collection).space_id)
        parts.store.promote(alias, collection)
        latest = _latest(parts).get(alias.name)
        if latest is not None and latest.rollback_to:  # what it was to undo is no longer what serves
            parts.ledger.save_reindex(replace(latest, rollback_to="", reason=""))
        return alias.name


def roll_back(parts: SwitchParts, space_id: str = "") -> RolledBack:
    """Makes an alias answer with its previous collection.

    Args:
        parts: of the installation.
        space_id: of the alias; empty for the one of the latest promotion, or the only one.

    Raises:
        PromotionImpossible: there is none to go back to, or several aliases.
        StoreLocked: a reindex is under way, or another process is writing.
        VitrineError: a part failed.
    """
    with reindexing_alone(parts.store, parts.ledger, parts.catalog, wait_s=_LOCK_WAIT_S) as lease:
        alias = Alias(parts.catalog, space_id) if space_id else _rolled_back_alias(parts)
        return Rollback(parts.store, parts.ledger, parts.catch_up).run(alias, lease)


def prune(parts: SwitchParts) -> Sequence[str]:
    """Deletes of each alias all collections but the current, the previous, and what a reindex may go on with.

    Returns:
        What was deleted.

    Raises:
        StoreLocked: a reindex is under way, or another process is writing.
        VitrineError: a part failed.
    """
    with reindexing_alone(parts.store, parts.ledger, parts.catalog, wait_s=_LOCK_WAIT_S):
        keep = [record.target for record in _latest(parts).values() if record.state in _MAY_SERVE]
        return [name for alias in _aliases(parts) for name in parts.store.prune(alias, keep=keep)]


def _latest(parts: SwitchParts) -> dict[str, ReindexRecord]:
    """The latest reindex of each alias of the catalog, newest first."""
    latest: dict[str, ReindexRecord] = {}
    for record in parts.ledger.reindexes(LOOKED_AT):
        if alias_named(record.alias).catalog == parts.catalog:
            latest.setdefault(record.alias, record)
    return latest


def _aliases(parts: SwitchParts) -> list[Alias]:
    names = dict.fromkeys(item.alias for item in parts.store.collections() if item.alias)
    return [alias for alias in map(alias_named, names) if alias.catalog == parts.catalog]


def _rolled_back_alias(parts: SwitchParts) -> Alias:
    for record in _latest(parts).values():
        if record.state in SWITCHED:
            return alias_named(record.alias)
    aliases = _aliases(parts)
    if len(aliases) == 1:
        return aliases[0]
    found = ", ".join(alias.space_id for alias in aliases) or "none"
    raise PromotionImpossible(f"There is not one alias to roll back, but: {found}.", "Choose one with --space.")
