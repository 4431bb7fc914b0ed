"""Pictures that do to the process that decodes them what a fault in a codec would.

In a decoder process with the plugin ``tests.evil_plugin``, BMP files that carry one of the words below behind their
pixels do the evil while they are loaded; all others are read as ever.
"""

from __future__ import annotations

import ctypes
import io
import os
import signal
from typing import Any

from PIL import BmpImagePlugin, Image

CRASH, CRASH_LATER, FILL, LOOP, KILL, LIE = (
    b"evil: read address zero",
    b"evil: read address zero at the next picture",
    b"evil: take memory without end",
    b"evil: never return from C",
    b"evil: ask the system to be killed",
    b"evil: answer in the decoder's place",
)
_later: list[bytes] = []


def evil_picture(word: bytes, seed: int = 1) -> bytes:
    """A picture that is fine but for what it does; each seed is another one."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).rotate(seed).convert("RGB").save(out, "BMP")
    return out.getvalue() + word


class EvilBmp(BmpImagePlugin.BmpImageFile):
    """Pillow's own reader, with a codec that fails as codecs do."""

    def load(self) -> Any:
        if self.fp is None:  # loaded already
            return super().load()
        self.fp.seek(0)
        data = self.fp.read()
        if data.endswith(CRASH) or _later:
            ctypes.string_at(0)
        if data.endswith(CRASH_LATER):
            _later.append(data)
        if data.endswith(FILL):
            self._taken = [bytearray(50_000_000) for _ in range(2_000)]
        if data.endswith(LOOP):
            ctypes.PyDLL(None).pause()  # holds the interpreter: no thread of Python's gets a turn
        if data.endswith(KILL):
            os.kill(os.getpid(), signal.SIGKILL)
        if data.endswith(LIE):
            for descriptor in range(3, 64):  # whichever the socket is
                try:
                    os.write(descriptor, b"\x10\x00\x00\x00" + b"\xff" * 8 + b'{"size_px":1234}')
                except OSError:
                    continue
            os._exit(0)
        return super().load()
