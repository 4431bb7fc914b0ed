"""Memory stays flat however long a feed is; the full size is measured by benchmarks/feeds.py."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.catalog import FeedFormat

REPOSITORY = Path(__file__).resolve().parents[3]
ROWS = 25_000
# 25 000 rows are 20 to 30 MB of text and more as products; 2 MB are needed to know their ids again.
GROWTH_MB = 12
# Not ru_maxrss: a process that was forked begins with the peak of the one it came from.
STATUS = Path("/proc/self/status")
PEAK = """
import sys
from pathlib import Path
from indexer.catalog import open_feed
from indexer.errors import FeedError

def peak_mb():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024

def read():
    yield from open_feed(Path(sys.argv[1]))

entries = read()
"""
GROWTH = """
for _ in range(2000):
    next(entries)
before = peak_mb()
rows = 2000 + sum(1 for _ in entries)
print(rows, peak_mb() - before)
"""
DAMAGED = """
try:
    for _ in entries:
        pass
except FeedError:
    print(peak_mb())
"""
pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="peak memory is read from /proc, which is not here")


def run(code: str, path: Path) -> str:
    arguments = [sys.executable, "-c", PEAK + code, str(path)]
    return subprocess.run(arguments, check=True, cwd=REPOSITORY, capture_output=True, text=True).stdout


@pytest.mark.parametrize("feed_format", list(FeedFormat))
def test_memory_does_not_grow_with_the_feed(tmp_path: Path, feed_format: FeedFormat) -> None:
    path = tmp_path / "feed"
    arguments = [str(path), "--format", feed_format.value, "--rows", str(ROWS)]
    subprocess.run([sys.executable, "-m", "benchmarks.generate_feed", *arguments], check=True, cwd=REPOSITORY)
    rows, growth_mb = map(int, run(GROWTH, path).split())
    assert rows == ROWS
    assert growth_mb < GROWTH_MB


@pytest.mark.parametrize(
    "opening", ["<rss><channel><junk>", "<rss><channel><item><g:id>", "<rss><channel><!--", "<rss x='"]
)
def test_text_without_end_does_not_fill_memory(tmp_path: Path, opening: str) -> None:
    path = tmp_path / "feed.xml"
    with path.open("w") as out:
        out.write(opening)
        for _ in range(60):
            out.write("x" * 1024 * 1024)
    assert int(run(DAMAGED, path)) < 80


def test_gzip_bomb_is_refused_with_memory_flat(tmp_path: Path) -> None:
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=9) as out:
        out.write(b'{"id": "m1", "title": "Mug", "image": "a.jpg", "description": "')
        for _ in range(200):
            out.write(b"x" * 1024 * 1024)
    assert int(run(DAMAGED, path)) < 80
