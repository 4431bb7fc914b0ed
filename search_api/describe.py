"""``make openapi``: writes the API's description, and refuses to where it would break programs that exist."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from indexer.cli.exit_codes import CANNOT_START, DONE
from indexer.settings import load_settings
from search_api.api_changes import breaking_changes
from search_api.app import create_app


def api_description() -> dict[str, Any]:
    """The OpenAPI document, as ``GET /openapi.json`` gives it; no setting changes it. No model is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"data_dir": Path(folder) / "data"}, environment={}).settings
        document: dict[str, Any] = create_app(settings).openapi()
    return document


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 once the file says what the API does, 2 if that would break programs."""
    parser = argparse.ArgumentParser(prog="python -m search_api.describe", description=__doc__)
    parser.add_argument("file", type=Path, help="Where the document is kept.")
    parser.add_argument("--accept-breaking", action="store_true", help="Write it all the same.")
    parsed = parser.parse_args(arguments)
    file: Path = parsed.file
    document = api_description()
    breaking = breaking_changes(json.loads(file.read_text("utf-8")), document) if file.exists() else []
    if breaking:
        print("Programs that use the API break by this:", *breaking, sep="\n  ", file=sys.stderr)  # noqa: T201
        if not parsed.accept_breaking:
            print(  # noqa: T201
                "Keep what was, beside what is new; or accept it by BREAKING=accepted and tell of it in CHANGELOG.md.",
                file=sys.stderr,
            )
            return CANNOT_START
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
