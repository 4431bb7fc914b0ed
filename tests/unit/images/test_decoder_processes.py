"""Decoding in processes of their own: as in this one, and whatever a picture does to its process harms nothing else."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import (
    DecoderUnavailable,
    ImageCrashedDecoder,
    ImageDamaged,
    ImageEmpty,
    ImageError,
    ImageMemory,
    ImageNotAnImage,
    ImageTimeout,
    ImageTooLarge,
    ImageTooManyPixels,
)
from indexer.images.decoder import InProcessDecoder
from indexer.images.decoder_processes import DecoderProcesses, ProcessOptions
from indexer.images.limits import ImageLimits
from indexer.images.squares import Square
from indexer.telemetry import metrics
from tests.evil_pictures import CRASH, CRASH_LATER, FILL, KILL, LIE, LOOP, evil_picture
from tests.pictures import drawn_picture, encoded

LIMITS = ImageLimits(max_bytes=5_000_000, max_pixels=4_000_000, timeout_s=2.0)
MEMORY_BYTES = 200_000_000
PLUGINS = ("tests.evil_plugin",)
SQUARE = Square(64, "squash", "bicubic")


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcesses]:
    with DecoderProcesses(LIMITS, ProcessOptions(2, MEMORY_BYTES, PLUGINS)) as opened:
        yield opened


@pytest.fixture
def alone() -> Iterator[DecoderProcesses]:
    """With one process, so that it is known which one answers."""
    with DecoderProcesses(LIMITS, ProcessOptions(1, MEMORY_BYTES, PLUGINS)) as opened:
        yield opened


def lost(reason: str) -> float:
    return metrics.REGISTRY.get_sample_value("vitrine_decoder_failures_total", {"reason": reason}) or 0.0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
@pytest.mark.parametrize("mode", ["squash", "shortest", "longest"])
def test_pictures_come_out_as_in_this_process(decoder: DecoderProcesses, kind: str, mode: str) -> None:
    data = encoded(drawn_picture(3, size=(300, 200)), kind)
    square = Square(64, mode, "bilinear", 9)  # type: ignore[arg-type]
    here, there = InProcessDecoder(LIMITS).square(data, square), decoder.square(data, square)
    np.testing.assert_array_equal(there.pixels, here.pixels)
    assert (there.width_px, there.height_px) == (here.width_px, here.height_px) == (300, 200)
    whole, other = InProcessDecoder(LIMITS).picture(data, min_side_px=90), decoder.picture(data, min_side_px=90)
    np.testing.assert_array_equal(np.asarray(other.image), np.asarray(whole.image))
    assert (other.width_px, other.height_px) == (300, 200)
    assert decoder.jpeg(data, max_side_px=50) == InProcessDecoder(LIMITS).jpeg(data, max_side_px=50)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", ImageEmpty),
        (b"no picture", ImageNotAnImage),
        (encoded(drawn_picture(1), "PNG")[:200], ImageDamaged),
        (encoded(drawn_picture(1, size=(2100, 2100)), "PNG"), ImageTooManyPixels),
        (bytes(LIMITS.max_bytes + 1), ImageTooLarge),
    ],
)
def test_errors_are_those_of_this_process(decoder: DecoderProcesses, data: bytes, error: type[ImageError]) -> None:
    with pytest.raises(error) as here:
        InProcessDecoder(LIMITS).square(data, SQUARE)
    with pytest.raises(error) as there:
        decoder.square(data, SQUARE)
    assert (there.value.reason, there.value.remedy) == (here.value.reason, here.value.remedy)


def test_a_crash_costs_its_picture_and_no_other(decoder: DecoderProcesses) -> None:
    good = encoded(drawn_picture(4), "JPEG")
    expected = InProcessDecoder(LIMITS).square(good, SQUARE).pixels

    def ask(number: int) -> object:
        try:
            return decoder.square(evil_picture(CRASH, number) if number % 4 == 1 else good, SQUARE).pixels
        except ImageError as error:
            return error

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(ask, range(24)))
    for number, answer in enumerate(answers):
        if number % 4 == 1:
            assert isinstance(answer, ImageCrashedDecoder)
            assert "SIGSEGV" in answer.reason
        else:
            assert isinstance(answer, np.ndarray), answer
            np.testing.assert_array_equal(answer, expected)


def test_a_picture_that_crashed_is_not_tried_again_soon(alone: DecoderProcesses) -> None:
    evil, before = evil_picture(CRASH), lost("crashed")
    with pytest.raises(ImageCrashedDecoder, match="SIGSEGV"):
        alone.square(evil, SQUARE)
    assert lost("crashed") == before + 1  # its process was fresh, so there is no doubt
    with pytest.raises(ImageCrashedDecoder, match="not tried again"):
        alone.jpeg(evil, max_side_px=10)
    assert lost("crashed") == before + 1
    with pytest.raises(ImageCrashedDecoder, match="SIGSEGV"):
        alone.square(evil_picture(CRASH, 2), SQUARE)


def test_a_picture_does_not_pay_for_what_an_earlier_one_did(alone: DecoderProcesses) -> None:
    before = lost("crashed")
    alone.square(evil_picture(CRASH_LATER), SQUARE)
    assert alone.square(evil_picture(b"", 2), SQUARE).width_px == 64
    assert lost("crashed") == before + 1
    with pytest.raises(ImageCrashedDecoder, match="SIGKILL"):
        alone.square(evil_picture(KILL), SQUARE)
    assert lost("crashed") == before + 3  # in a process that had answered before, and in a fresh one


def test_memory_without_end_is_refused(alone: DecoderProcesses) -> None:
    before = lost("memory")
    with pytest.raises(ImageMemory, match="more memory"):
        alone.square(evil_picture(FILL), SQUARE)
    assert lost("memory") == before + 1
    assert alone.square(evil_picture(b""), SQUARE).width_px == 64


def test_one_call_that_does_not_return_is_cut_short(alone: DecoderProcesses) -> None:
    before = lost("timeout")
    cut_short(alone)
    assert lost("timeout") == before + 1
    assert alone.square(evil_picture(b""), SQUARE).width_px == 64


def cut_short(decoder: DecoderProcesses) -> None:
    with pytest.raises(ImageTimeout, match="cut short"):
        decoder.square(evil_picture(LOOP), SQUARE)


def test_what_a_process_says_is_not_believed(alone: DecoderProcesses) -> None:
    with pytest.raises(ImageCrashedDecoder):
        alone.square(evil_picture(LIE), SQUARE)
    assert alone.square(evil_picture(b""), SQUARE).width_px == 64


def test_processes_that_are_gone_are_replaced(alone: DecoderProcesses) -> None:
    good = evil_picture(b"")
    alone.square(good, SQUARE)
    (first,) = alone.process_ids()
    os.kill(first, signal.SIGKILL)
    assert alone.square(good, SQUARE).width_px == 64
    (second,) = alone.process_ids()
    parent = int(Path(f"/proc/{second}/stat").read_text("ascii").rsplit(")", 1)[1].split()[1])
    os.kill(parent, signal.SIGKILL)  # the one that they are forked from
    os.kill(second, signal.SIGKILL)
    assert alone.square(good, SQUARE).width_px == 64
    assert alone.process_ids() != [second]


def test_a_process_has_no_secrets_and_little_that_it_may_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_ADMIN_KEY", "a secret")
    with DecoderProcesses(LIMITS, ProcessOptions(1, MEMORY_BYTES, PLUGINS)) as opened:
        opened.square(evil_picture(b""), SQUARE)
        (process_id,) = opened.process_ids()
        process = Path(f"/proc/{process_id}")
        assert b"VITRINE" not in (process / "environ").read_bytes()
        limits = (process / "limits").read_text("ascii")
        files = [str(file.readlink()) for file in (process / "fd").iterdir()]
    assert "Max core file size        0" in limits
    assert "Max file size             0" in limits
    assert sorted(file.split(":")[0] for file in files) == ["/dev/null"] * 3 + ["socket"]


def test_it_ends_with_its_owner() -> None:
    with DecoderProcesses(LIMITS, ProcessOptions(1, MEMORY_BYTES, PLUGINS)) as opened:
        opened.square(evil_picture(b""), SQUARE)
        (process_id,) = opened.process_ids()
        # one that is in the middle of a picture when its owner ends is waited for
        slow = threading.Thread(target=cut_short, args=[opened])
        slow.start()
        while opened.process_ids():
            time.sleep(0.01)
    slow.join()
    assert not Path(f"/proc/{process_id}").exists()
    with pytest.raises(DecoderUnavailable, match="closed"):
        opened.square(evil_picture(b""), SQUARE)


def test_no_picture_is_blamed_where_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.images.decoder_forker.sys.executable", "/nowhere/python")
    decoder = DecoderProcesses(LIMITS, ProcessOptions(1, MEMORY_BYTES))
    with pytest.raises(DecoderUnavailable, match="can be started"):
        decoder.square(evil_picture(b""), SQUARE)
    decoder.close()
