"""``make demo``: a sample catalog drawn, indexed and served, with nothing to install but Python."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from indexer import bootstrap
from indexer.cli.console import escaped, messages, output
from indexer.cli.exit_codes import CANNOT_START, DONE, INTERRUPTED
from indexer.cli.flags import add_settings_flags, settings_of
from indexer.cli.run_summary import supervise
from indexer.demo.catalog import FEED, QUERIES, write_sample_catalog
from indexer.embedding.choice import DEMO_MODEL
from indexer.embedding.port import Embedder
from indexer.errors import VitrineError
from indexer.indexing.inline import InlineDispatcher
from indexer.indexing.run import IndexOptions, index_feed
from indexer.processors import share_cores_between_threads
from indexer.settings import Settings
from indexer.telemetry.logs import start_logging
from search_api.app import create_app
from search_api.serving import ApiServer, check_address, check_open_search


def build_parser() -> argparse.ArgumentParser:
    """The parser of the flags."""
    parser = argparse.ArgumentParser(prog="python -m search_api.demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".demo"), help="Where catalog and index are kept.")
    add_settings_flags(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Draws, indexes and serves; what an earlier call finished is not done again."""
    parsed = build_parser().parse_args(arguments)
    share_cores_between_threads()
    parsed.model = parsed.model or DEMO_MODEL
    parsed.data_dir = parsed.data_dir or parsed.folder / "data"
    try:
        settings = settings_of(parsed).settings
        start_logging("api", settings.log_format, "%(message)s%(of_work)s")
        check_open_search(settings)
        check_address(settings)
        catalog = parsed.folder / "catalog"
        _draw(catalog)
        embedder, code = _indexed(catalog, settings)
        if code != DONE:
            return code
        app = create_app(settings, load_embedder=lambda _: embedder)
        ApiServer(app, settings, log_level="warning").run(before=lambda: _invite(settings, catalog))
    except VitrineError as error:
        messages().print(f"[bold red]error[/]: {escaped(str(error))}")
        return CANNOT_START
    except KeyboardInterrupt:
        return INTERRUPTED
    return DONE


def _draw(folder: Path) -> None:
    """Draws the sample catalog if it is not there."""
    with _picture_bar() as progress:
        task = progress.add_task("drawing the sample catalog", total=None, visible=False)
        write_sample_catalog(
            folder, progress=lambda done, total: progress.update(task, completed=done, total=total, visible=True)
        )


@contextmanager
def _picture_bar() -> Iterator[Progress]:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=messages(),
    ) as progress:
        yield progress


def _indexed(catalog: Path, settings: Settings) -> tuple[Embedder, int]:
    options = IndexOptions(full=True, batch_products=settings.batch_products)
    with bootstrap.indexing(settings) as parts:
        dispatcher = InlineDispatcher(parts)
        code = supervise(lambda listen: index_feed(catalog / FEED, options, dispatcher, listen), parts.ledger)
        return parts.embedder, code


def _invite(settings: Settings, catalog: Path) -> None:
    queries = [json.loads(line) for line in (catalog / QUERIES).read_text("utf-8").splitlines()]
    text = next(query for query in queries if query.get("language") == "ru")["text"]
    photo = next(query for query in queries if query.get("change") == "background")
    base = f"http://{settings.host}:{settings.port}"
    body = json.dumps({"text": text, "limit": 3}, ensure_ascii=False)
    out = output()
    out.print(f"\nOpen [bold]{base}[/] in a browser. Ctrl-C stops.\n\nOr ask it from another terminal:\n")
    for call in (
        f"curl -s {base}/v1/search/text -H 'Content-Type: application/json' -d '{body}'",
        f"curl -s -F file=@{catalog / photo['image']} '{base}/v1/search/image?limit=3'",
        f"curl -s '{base}/v1/products/{photo['relevant'][0]}/similar?limit=3'",
    ):
        out.print(f"  {call}", markup=False)
    out.print()


if __name__ == "__main__":
    sys.exit(main())
