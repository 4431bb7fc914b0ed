"""Writing the sample catalog: pictures, feed and queries, in one folder that is complete or not there at all."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from zlib import crc32

from PIL import Image

from indexer.demo.assortment import Article, assortment
from indexer.demo.feed import write_feed
from indexer.demo.photographs import Change, changed_photo, shop_photo
from indexer.demo.questions import photo_questions, text_questions
from indexer.demo.rendering.scene import Look
from indexer.errors import ConfigurationError
from indexer.processors import available_cores

CATALOG_VERSION = 1
"""Raised whenever the same arguments would give other files."""

MANIFEST = "manifest.json"
FEED = "feed.xml"
QUERIES = "queries.jsonl"

Progress = Callable[[int, int], None]
"""Called with pictures done and pictures in all."""


@dataclass(frozen=True)
class Plan:
    """What is asked for: the arguments that decide every file of a sample catalog."""

    products: int = 300
    image_size_px: int = 512
    seed: int = 20
    text_queries_per_language: int = 100
    photo_queries_per_change: int = 30
    version: int = CATALOG_VERSION


@dataclass(frozen=True)
class _Picture:
    """One picture to be drawn: a shop's (``position``) or, where ``change`` is set, a shopper's."""

    path: str
    look: Look
    size_px: int
    seed: int
    position: int = 0
    change: Change | None = None


def write_sample_catalog(
    folder: Path,
    *,
    products: int = 300,
    image_size_px: int = 512,
    seed: int = 20,
    progress: Progress | None = None,
) -> Path:
    """Draw a sample catalog, or leave it alone if the same one is already there.

    Args:
        folder: where it goes; made if missing. A sample catalog made with other arguments is replaced.
        products: how many products, up to ``assortment.CAPACITY``.
        image_size_px: side of the shop's pictures.
        seed: other seeds give other products and pictures.
        progress: called after each picture.

    Returns:
        The path of ``feed.xml``; beside it are ``images/``, ``queries/`` and ``queries.jsonl``.

    Raises:
        ConfigurationError: the folder holds something that is not a sample catalog.
    """
    return write_catalog(folder, Plan(products=products, image_size_px=image_size_px, seed=seed), progress=progress)


def write_catalog(folder: Path, plan: Plan, *, progress: Progress | None = None, workers: int | None = None) -> Path:
    """As :func:`write_sample_catalog`, with every argument open; ``workers`` 1 draws in this process."""
    folder = Path(folder)
    if is_complete(folder, plan):
        return folder / FEED
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise ConfigurationError(
            f"{folder} holds files that are not a sample catalog.", "Name an empty or a new folder for it."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that the rename at the end stays within one file system.
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write_into(scratch, plan, progress, workers or available_cores())
        _replace(folder, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder / FEED


def is_complete(folder: Path, plan: Plan) -> bool:
    """Whether the folder holds the whole catalog of this plan."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(manifest, dict) or manifest.get("plan") != asdict(plan):
        return False
    return all((folder / name).is_file() for name in [FEED, QUERIES, *manifest.get("pictures", [])])


def _replace(folder: Path, scratch: Path) -> None:
    """Put a finished folder in the place of what was there."""
    scratch.chmod(0o755)
    if folder.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
        folder.rename(old / folder.name)
        scratch.rename(folder)
        shutil.rmtree(old)
    else:
        scratch.rename(folder)


def _write_into(folder: Path, plan: Plan, progress: Progress | None, workers: int) -> None:
    articles = assortment(plan.products, plan.seed)
    images = [[f"images/{a.product_id}-{i}.jpg" for i in range(1, _image_count(a) + 1)] for a in articles]
    pictures = [
        _Picture(file, article.look, plan.image_size_px, _photo_seed(article, plan), position)
        for article, files in zip(articles, images, strict=True)
        for position, file in enumerate(files)
    ]
    lines = [
        {"text": q.caption.text, "language": q.caption.language, "relevant": list(q.relevant)}
        for q in text_questions(articles, plan.text_queries_per_language, plan.seed)
    ]
    for question in photo_questions(articles, plan.photo_queries_per_change, plan.seed):
        article = question.article
        file = f"queries/{article.product_id}-{question.change}.jpg"
        size_px = max(160, plan.image_size_px * 3 // 4)
        pictures.append(_Picture(file, article.look, size_px, _photo_seed(article, plan), change=question.change))
        lines.append({"image": file, "change": question.change, "relevant": [article.product_id]})
    for name in ("images", "queries"):
        (folder / name).mkdir()
    _draw_all(folder, pictures, progress, workers)
    write_feed(folder / FEED, articles, images)
    with (folder / QUERIES).open("w", encoding="utf-8") as queries:
        queries.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    manifest = {"plan": asdict(plan), "pictures": [picture.path for picture in pictures]}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _image_count(article: Article) -> int:
    """One or two pictures of a product, half and half."""
    return 1 + crc32(f"{article.product_id}|{article.look.shape_seed}".encode()) % 2


def _photo_seed(article: Article, plan: Plan) -> int:
    """Seed of an article's photos: its own within the catalog."""
    return crc32(f"{plan.seed}|{article.product_id}".encode())


def _draw_all(folder: Path, pictures: Sequence[_Picture], progress: Progress | None, workers: int) -> None:
    jobs = [(folder, picture) for picture in pictures]
    for done, _ in enumerate(_run(jobs, workers), start=1):
        if progress is not None:
            progress(done, len(pictures))


def _run(jobs: Sequence[tuple[Path, _Picture]], workers: int) -> Iterator[None]:
    if workers == 1:
        yield from map(_draw_one, jobs)
        return
    # Spawned, not forked: the caller may hold threads (torch, a progress bar) that do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_draw_one, jobs, chunksize=4)


def _draw_one(job: tuple[Path, _Picture]) -> None:
    folder, picture = job
    drawn = _drawn(picture)
    drawn.save(folder / picture.path, quality=90)


def _drawn(picture: _Picture) -> Image.Image:
    if picture.change is None:
        return shop_photo(picture.look, picture.position, picture.size_px, picture.seed)
    return changed_photo(picture.look, picture.change, picture.size_px, picture.seed)
