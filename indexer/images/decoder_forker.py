"""Starting and burying decoder processes: the program's side of ``decoder_main``."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from indexer.errors import DecoderUnavailable
from indexer.images.decoder_main import FORK, REPLY

_ROOT = Path(__file__).resolve().parents[2]
_ANSWER_S = 30.0
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ")
"""Of the program's environment, which has secrets that no codec needs."""


@dataclass(frozen=True, slots=True)
class ForkedDecoder:
    """A process, and this end of the socket over which it is asked."""

    process_id: int
    channel: socket.socket


class DecoderForker:
    """The process that decoders are forked from; started anew if it is lost.

    Args:
        memory_bytes: that a decoder may take besides what Pillow itself takes.
        plugins: modules that register further formats, or other readers, with Pillow.
    """

    def __init__(self, memory_bytes: int, plugins: Sequence[str] = ()) -> None:
        self._memory_bytes = memory_bytes
        self._plugins = tuple(plugins)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> None:
        """Begins to start it; a fork waits until it is there.

        Raises:
            DecoderUnavailable: the system starts no process now.
        """
        with self._lock:
            self._started()

    def fork(self) -> ForkedDecoder:
        """A new decoder process.

        Raises:
            DecoderUnavailable: the system starts no process now.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process_id = self._asked(FORK.pack(b"f", self._memory_bytes), theirs)
        except BaseException:
            ours.close()
            raise
        return ForkedDecoder(process_id, ours)

    def bury(self, process_id: int) -> int | None:
        """Sees to it that a decoder is gone: its exit code, below zero a signal's number; None if nobody knows."""
        with suppress(DecoderUnavailable):
            return self._asked(FORK.pack(b"r", process_id))
        return None

    def close(self) -> None:
        """Ends it, and the decoders with it."""
        with self._lock:
            self._let_go()

    def _asked(self, command: bytes, descriptor: socket.socket | None = None) -> int:
        with self._lock:
            control = self._started()
            try:
                control.settimeout(_ANSWER_S)
                if descriptor is None:
                    control.sendall(command)
                else:
                    socket.send_fds(control, [command], [descriptor.fileno()])
                answer = control.recv(REPLY.size, socket.MSG_WAITALL)
            except OSError as error:
                self._let_go()
                raise _unavailable(str(error)) from error
            if len(answer) < REPLY.size:
                self._let_go()
                raise _unavailable("the process that they are forked from has ended")
        (value,) = REPLY.unpack(answer)
        if descriptor is not None and value <= 0:
            raise _unavailable(os.strerror(-value))
        return int(value)

    def _started(self) -> socket.socket:
        if self._control is not None and self._process is not None and self._process.poll() is None:
            return self._control
        self._let_go()
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        environment |= {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-P", "-m", "indexer.images.decoder_main", str(theirs.fileno())]
        try:
            self._process = subprocess.Popen(  # this interpreter, our module, no shell # nosec B603
                [*command, ",".join(self._plugins)],
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the program
            )
        except OSError as error:
            ours.close()
            raise _unavailable(str(error)) from error
        finally:
            theirs.close()
        self._control = ours
        return ours

    def _let_go(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            try:
                self._process.wait(_ANSWER_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._control = self._process = None


def _unavailable(reason: str) -> DecoderUnavailable:
    return DecoderUnavailable(
        f"No process that decodes pictures can be started: {reason}.",
        "Look at the limits of processes and memory; decode_in threads needs none.",
    )
