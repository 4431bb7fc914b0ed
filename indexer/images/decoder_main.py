"""``python -m indexer.images.decoder_main CONTROL PLUGINS``: the process that decoder processes are forked from.

It loads Pillow once and then forks a decoder for each socket that it is sent; one that a picture took is replaced in
milliseconds. It has one thread, no setting, no secret and no file of the program open. What a decoder may take is
bounded by the kernel, which no codec can talk out of it: memory by ``RLIMIT_AS``, and time by an alarm whose default is
to end the process, in the middle of any loop.
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import signal
import socket
import struct
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from indexer.errors import ImageError, ImageMemory
from indexer.images.decoder_wire import receive_request, send_answer
from indexer.images.tasks import Made, carried_out

FORK = struct.Struct("<cQ")
"""A command: ``f`` with the bytes of memory that the decoder may take, or ``r`` with the id of one that has ended."""
REPLY = struct.Struct("<q")
"""To ``f`` the process id, or an errno below zero; to ``r`` the exit code, below zero a signal's number."""
ALARM_GRACE_S = 0.5
"""How much longer than its time limit a picture may take inside one call of a codec: between calls the limit ends it
in order, and the process lives on."""
_PLUGINS = ("Jpeg", "Mpo", "Png", "Gif", "WebP", "Bmp", "Tiff", "Avif")
_GOING_S = 1.0
_OPEN_FILES = 64


def main() -> None:
    """Forks decoders until the other end of the control socket is closed."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    _load(sys.argv[2].split(",") if len(sys.argv) > 2 and sys.argv[2] else [])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they are for the program, which ends decoders by closing their sockets
    with suppress(OSError):  # where the memory runs out, the kernel is to take a decoder and not the server
        Path("/proc/self/oom_score_adj").write_text("500", "ascii")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # what codecs print is the picture's doing, and would be in the program's log
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    gc.freeze()
    children: set[int] = set()
    while True:
        command, descriptors, _, _ = socket.recv_fds(control, FORK.size, 1)
        if len(command) < FORK.size:
            _end(children)
        kind, value = FORK.unpack(command)
        if kind == b"f":
            reply = _forked(control, descriptors[0], value)
            if reply > 0:
                children.add(reply)
        else:
            children.discard(value)
            reply = _ended(value)
        control.sendall(REPLY.pack(reply))


def _load(plugins: list[str]) -> None:
    warnings.simplefilter("ignore")  # Pillow warns about odd files; what matters is in the ImageError
    for name in _PLUGINS:
        importlib.import_module(f"PIL.{name}ImagePlugin")
    # one thread each: there are as many decoders as cores, and a thread's stack counts as memory
    vars(sys.modules["PIL.AvifImagePlugin"])["DEFAULT_MAX_THREADS"] = 1
    from indexer.images.formats import heif_available

    if heif_available():
        import pillow_heif

        pillow_heif.options.DECODE_THREADS = 1
    for plugin in plugins:
        importlib.import_module(plugin)


def _forked(control: socket.socket, descriptor: int, memory_bytes: int) -> int:
    try:
        child = os.fork()
    except OSError as error:
        os.close(descriptor)
        return -(error.errno or 1)
    if child:
        os.close(descriptor)
        return child
    try:
        control.close()
        _bound(memory_bytes)
        _serve(socket.socket(fileno=descriptor))
    finally:
        os._exit(0)


def _bound(memory_bytes: int) -> None:
    """What the kernel is to refuse a decoder, or to end it for."""
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        memory_bytes += pages * resource.getpagesize()
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),  # a core file would hold shoppers' photos
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        with suppress(OSError, ValueError):  # a system without that limit, or with a lower one
            resource.setrlimit(what, (most, most))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _serve(channel: socket.socket) -> None:
    """Carries out requests until the other end is closed, or memory ran out once."""
    while (request := receive_request(channel)) is not None:
        signal.setitimer(signal.ITIMER_REAL, request.limits.timeout_s + ALARM_GRACE_S)
        answer: Made | ImageError
        try:
            answer = carried_out(request.task, request.data, request.limits)
        except ImageError as error:
            answer = error
        signal.setitimer(signal.ITIMER_REAL, 0)
        send_answer(channel, answer)
        if isinstance(answer, ImageMemory):
            return  # who knows what is left of it
        del request, answer


def _ended(child: int) -> int:
    """Exit code of a decoder that is of no more use; killed if it has not ended by itself."""
    deadline_s = time.monotonic() + _GOING_S
    with suppress(ChildProcessError):
        while time.monotonic() < deadline_s:
            found, status = os.waitpid(child, os.WNOHANG)
            if found:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        os.kill(child, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return 0


def _end(children: set[int]) -> NoReturn:
    """Decoders end as their sockets are closed; one that is in the middle of a picture is not waited for."""
    for child in children:
        _ended(child)
    os._exit(0)


if __name__ == "__main__":
    main()
