"""Batches in parts: each row gets its own vector, no thread is given fewer cores for it, and failures are told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from indexer.embedding.choice import ModelChoice
from indexer.embedding.cpu_streams import CpuStreams, streams_for
from indexer.embedding.openclip import load_open_clip
from indexer.embedding.port import Pixels, TokenIds
from indexer.embedding.torch_backend import TorchEmbedder
from indexer.embedding.towers import RawVectors

STREAMS = 3


@pytest.fixture(autouse=True)
def cores() -> Iterator[None]:
    """As many as there are streams, as where a model is loaded; afterwards what other tests had."""
    before = torch.get_num_threads()
    torch.set_num_threads(STREAMS)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def streams() -> CpuStreams:
    return CpuStreams(STREAMS)


def doubled(rows: Pixels | TokenIds) -> RawVectors:
    return rows.astype(np.float32) * 2


def test_each_row_gets_what_is_its_own(streams: CpuStreams) -> None:
    rows = np.arange(64, dtype=np.int64).reshape(32, 2)
    np.testing.assert_array_equal(streams.run(doubled, rows), doubled(rows))


def test_every_thread_takes_a_part_and_no_more_than_one_core(streams: CpuStreams) -> None:
    met = threading.Barrier(STREAMS, timeout=30)
    cores: list[int] = []

    def compute(rows: Pixels | TokenIds) -> RawVectors:
        met.wait()  # only passed if all are here at once
        cores.append(torch.get_num_threads())
        return doubled(rows)

    streams.run(compute, np.zeros((STREAMS, 1), dtype=np.int64))
    assert cores == [1] * STREAMS


def test_a_thread_that_cannot_be_started_is_told_and_no_other_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def start_two(self: threading.Thread) -> None:
        if len(started) == STREAMS - 1:
            raise RuntimeError("can't start new thread")
        started.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", start_two)
    with pytest.raises(RuntimeError, match="new thread"):
        CpuStreams(STREAMS)
    for thread in started:
        thread.join(30)
        assert not thread.is_alive()


def test_threads_that_come_later_have_all_cores() -> None:
    CpuStreams(STREAMS)
    seen = [torch.get_num_threads()]
    later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert seen == [STREAMS, STREAMS]


def test_a_part_that_fails_is_told_when_the_others_are_done(streams: CpuStreams) -> None:
    first_failed = threading.Event()
    done: list[int] = []

    def compute(rows: Pixels | TokenIds) -> RawVectors:
        if rows[0] == 0:
            first_failed.set()
            raise RuntimeError("out of memory")
        assert first_failed.wait(30)
        done.append(int(rows[0]))
        return doubled(rows)

    with pytest.raises(RuntimeError, match="out of memory"):
        streams.run(compute, np.arange(STREAMS))
    assert sorted(done) == [1, 2]


def test_few_rows_are_not_worth_it(streams: CpuStreams) -> None:
    assert [rows for rows in (1, 2, 4, 8, 16, 32, 64) if streams.worth(rows)] == [32, 64]


def test_no_threads_are_started_that_no_batch_would_use() -> None:
    assert streams_for(1, 32) is None
    assert streams_for(8, 32) is None
    assert streams_for(4, 32) is not None


def test_a_model_gives_the_same_vectors_in_parts(
    tiny_model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    choice = ModelChoice(model=tiny_model, models_dir=str(tmp_path))
    whole = TorchEmbedder(load_open_clip(choice), batch_size=32)
    ran: list[int] = []
    run = CpuStreams.run

    def counted(self: CpuStreams, compute: object, rows: Pixels | TokenIds) -> RawVectors:
        ran.append(len(rows))
        return run(self, compute, rows)  # type: ignore[arg-type]

    monkeypatch.setattr(CpuStreams, "run", counted)
    parted = TorchEmbedder(load_open_clip(choice), batch_size=32, threads=STREAMS)
    side = whole.space.image_size_px
    pixels = np.random.default_rng(0).integers(0, 256, (37, side, side, 3), dtype=np.uint8)
    texts = [f"a mug, number {number}" for number in range(37)]
    np.testing.assert_allclose(parted.embed_images(pixels), whole.embed_images(pixels), atol=1e-5)
    np.testing.assert_allclose(parted.embed_texts(texts), whole.embed_texts(texts), atol=1e-5)
    assert ran == [32, 32]  # of 37, the last five go through together


def test_shares_are_there_for_two_cores_and_more(tiny_model: str, tmp_path: Path) -> None:
    model = load_open_clip(ModelChoice(model=tiny_model, models_dir=str(tmp_path)))
    assert [TorchEmbedder(model, threads=threads).shares for threads in (1, 2, 3, 16)] == [1, 2, 2, 2]


def test_on_a_share_torch_has_that_many_cores_and_afterwards_all(tiny_model: str, tmp_path: Path) -> None:
    embedder = TorchEmbedder(load_open_clip(ModelChoice(model=tiny_model, models_dir=str(tmp_path))), threads=4)
    seen: list[tuple[int, int]] = []
    both_in, both_out = (threading.Barrier(2, timeout=30) for _ in range(2))

    def embed() -> None:
        with embedder.on_share():
            both_in.wait()
            inside = torch.get_num_threads()
            both_out.wait()
        seen.append((inside, torch.get_num_threads()))

    threads = [threading.Thread(target=embed) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert seen == [(2, 4)] * 2


def test_a_pass_on_a_share_does_not_take_the_threads_of_the_other(
    tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = TorchEmbedder(load_open_clip(ModelChoice(model=tiny_model, models_dir=str(tmp_path))), threads=2)
    texts = [f"a mug, number {number}" for number in range(32)]
    expected = embedder.embed_texts(texts)
    monkeypatch.setattr(CpuStreams, "run", lambda *_: pytest.fail("in parts"))
    with embedder.on_share():
        np.testing.assert_allclose(embedder.embed_texts(texts), expected, atol=1e-5)
