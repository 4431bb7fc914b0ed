"""``make fuzz``: tries ever new bytes on a target, led by the branches that they reach.

What fails is kept as ``.fuzzing/TARGET/crash-...`` and tried again by giving its path. New inputs that reach new
branches are kept in ``.fuzzing/TARGET/corpus``, so that the next run goes on from there.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import atheris

from tests.fuzzing.corpus import CORPUS, inputs

_FOUND = Path(".fuzzing")
_INSTRUMENTED = ("indexer.images", "indexer.catalog", "PIL", "gzip", "csv", "json")
"""Packages whose branches lead the search."""
_ONE_INPUT_S = 20
_MEMORY_MB = 2_000


def main() -> None:
    """Ends with 0 after the time given, with another status at the first fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("target", choices=["pictures", "feeds"])
    parser.add_argument("inputs", nargs="*", type=Path, help="Files to try once, instead of new ones.")
    parser.add_argument("--seconds", type=int, default=60)
    parsed = parser.parse_args()
    warnings.filterwarnings("ignore", module=r"PIL\.")
    with atheris.instrument_imports(include=list(_INSTRUMENTED)):
        from tests.fuzzing.targets import TARGETS

        target = TARGETS[parsed.target]
        for path in parsed.inputs or inputs(parsed.target):
            target.run(path.read_bytes())  # here, so that what is imported at the first picture is watched too
    if parsed.inputs:
        return
    folder = _FOUND / parsed.target
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={parsed.seconds}",
        f"-timeout={_ONE_INPUT_S}",
        f"-rss_limit_mb={_MEMORY_MB}",
        f"-max_len={target.max_bytes}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(folder / "corpus"), str(CORPUS / parsed.target)], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
