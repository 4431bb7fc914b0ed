"""Decoding in processes of their own: a codec's crash, or memory or time without end, costs one picture and no more."""

from __future__ import annotations

import hashlib
import logging
import signal
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import LifoQueue

from indexer.errors import DecoderUnavailable, ImageCrashedDecoder, ImageError, ImageMemory, ImageTimeout
from indexer.exit_codes import how_it_ended
from indexer.images.decode import check_file_size
from indexer.images.decoder import Decoder
from indexer.images.decoder_forker import DecoderForker, ForkedDecoder
from indexer.images.decoder_wire import Request, WireBroken, receive_answer, send_request
from indexer.images.limits import ImageLimits
from indexer.images.tasks import Made, Task
from indexer.processors import available_cores
from indexer.telemetry import metrics

_log = logging.getLogger(__name__)
_SILENCE_S = 5.0
"""Beyond the time limit, after which a process is killed from here; its own alarm is due long before."""
_REMEMBERED = 1024
_REMEMBERED_S = 600.0
"""A picture that crashed a fresh process is refused without another try for so long: a browser that asks again and
again must not cost a process each time. Not for ever: the system may have taken the process for lack of memory."""
_JPEG_SLACK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """How pictures are decoded in processes of their own.

    Attributes:
        count: of processes, started as they are needed; 0: one for each core.
        memory_bytes: that one may take for its picture; the dearest ones of 50 million pixels take 1.35 GB (a TIFF of
            floats; a WebP without loss 1.03, an AVIF 0.83, a PNG with transparency 0.63).
        plugins: modules that register further formats, or other readers, with Pillow.
    """

    count: int = 0
    memory_bytes: int = 1_500_000_000
    plugins: Sequence[str] = ()


@dataclass(slots=True)
class _Slot:
    """A place for a process; ``pictures``: that it has answered for."""

    process: ForkedDecoder | None = None
    pictures: int = 0


class _Lost(Exception):
    """The process did not answer; ``in_time``: it ended before its time was up."""

    def __init__(self, *, in_time: bool) -> None:
        super().__init__(in_time)
        self.in_time = in_time


class DecoderProcesses(Decoder):
    """A ``Decoder`` whose pictures are decoded elsewhere.

    A picture whose process was lost, or ran out of memory, after it had answered for others is tried once more in a
    fresh one: an earlier picture may have done the damage.

    Args:
        limits: for one picture.
        options: see there.
    """

    def __init__(self, limits: ImageLimits, options: ProcessOptions) -> None:
        super().__init__(limits)
        self._forker = DecoderForker(options.memory_bytes, options.plugins)
        self._slots: LifoQueue[_Slot] = LifoQueue()
        self._count = options.count or available_cores()
        for _ in range(self._count):
            self._slots.put(_Slot())
        self._refused = _Refused()
        self._closed = False

    def start(self) -> None:
        """See ``Decoder``."""
        self._forker.start()

    def close(self) -> None:
        """Waits for pictures that are being decoded, then ends the processes."""
        slots = [self._slots.get() for _ in range(self._count)]
        self._closed = True
        for slot in slots:
            if slot.process is not None:
                slot.process.channel.close()
                slot.process = None
            self._slots.put(slot)
        self._forker.close()

    def process_ids(self) -> list[int]:
        """Of those that wait for a picture now."""
        return [slot.process.process_id for slot in list(self._slots.queue) if slot.process is not None]

    def _made(self, task: Task, data: bytes) -> Made:
        check_file_size(data, self.limits)
        self._refused.check(data)
        slot = self._slots.get()
        try:
            return self._insisted(slot, Request(task, data, self.limits))
        finally:
            self._slots.put(slot)

    def _insisted(self, slot: _Slot, request: Request) -> Made:
        while True:
            is_fresh = slot.pictures == 0
            try:
                return self._answered(slot, request)
            except ImageMemory:
                self._buried(slot)
                metrics.decoder_failed("memory")
                if is_fresh:
                    raise
            except _Lost as lost:
                code = self._buried(slot)
                if code == -signal.SIGALRM or not lost.in_time:
                    metrics.decoder_failed("timeout")
                    raise self._took_too_long() from None
                metrics.decoder_failed("crashed")
                if is_fresh:
                    self._refused.add(request.data)
                    raise _crashed(request.data, code) from None

    def _answered(self, slot: _Slot, request: Request) -> Made:
        """One try.

        Raises:
            ImageError: what is wrong with the picture.
            _Lost: the process did not answer, or not what was asked for.
        """
        if self._closed:
            raise DecoderUnavailable("The decoder is closed.")
        if slot.process is None:
            slot.process = self._forker.fork()
        channel = slot.process.channel
        channel.settimeout(self.limits.timeout_s + _SILENCE_S)
        most_bytes = max(self.limits.max_pixels, 4096 * 4096) * 4 + _JPEG_SLACK_BYTES
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # what it said before it ended is told below
                send_request(channel, request)
            answer = receive_answer(channel, most_bytes)
        except TimeoutError:
            raise _Lost(in_time=False) from None
        except (WireBroken, OSError):
            raise _Lost(in_time=True) from None
        slot.pictures += 1
        if isinstance(answer, ImageError):
            raise answer
        if not answer.fits(request.task, self.limits):
            raise _Lost(in_time=True)
        return answer

    def _buried(self, slot: _Slot) -> int | None:
        process, slot.process, slot.pictures = slot.process, None, 0
        if process is None:
            return None
        process.channel.close()
        return self._forker.bury(process.process_id)

    def _took_too_long(self) -> ImageTimeout:
        return ImageTimeout(
            f"Decoding took longer than {self.limits.timeout_s:g} s and was cut short.",
            "Save the picture smaller, or raise image_timeout_s.",
        )


class _Refused:
    """Pictures that crashed a process not long ago, by content."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until_s: OrderedDict[bytes, float] = OrderedDict()

    def add(self, data: bytes) -> None:
        with self._lock:
            self._until_s[_digest(data)] = time.monotonic() + _REMEMBERED_S
            while len(self._until_s) > _REMEMBERED:
                self._until_s.popitem(last=False)

    def check(self, data: bytes) -> None:
        """Raises:
        ImageCrashedDecoder: it is one of them.
        """
        if not self._until_s:  # nearly always: nothing is hashed then
            return
        digest = _digest(data)
        with self._lock:
            until_s = self._until_s.get(digest)
            if until_s is None:
                return
            if time.monotonic() > until_s:
                del self._until_s[digest]
                return
        raise ImageCrashedDecoder(
            "The picture crashed the process that decoded it a short time ago and is not tried again yet.", _REMEDY
        )


_REMEDY = "Save it anew with another program; please report it."


def _crashed(data: bytes, code: int | None) -> ImageCrashedDecoder:
    how = how_it_ended(code)
    digest = _digest(data).hex()
    _log.error("a decoder process %s at a picture of %d bytes with SHA-256 %s", how, len(data), digest)
    return ImageCrashedDecoder(f"The process that decoded the picture {how}.", _REMEDY)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
