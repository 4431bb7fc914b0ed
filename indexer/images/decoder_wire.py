"""What a decoder process and the process that it works for say to each other over a socket.

A message is two lengths, a header in JSON, and a payload of plain bytes. Nothing is pickled: a process that a picture
has taken over must not be able to make the other one run code.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from indexer.errors import ImageDamaged, ImageError, error_leaves
from indexer.images.limits import ImageLimits
from indexer.images.squares import Square
from indexer.images.tasks import JpegTask, Made, PictureTask, SquareTask, Task

_LENGTHS = struct.Struct("<IQ")
_MOST_HEADER_BYTES = 65_536
_KINDS: Mapping[str, type[PictureTask | JpegTask]] = {"picture": PictureTask, "jpeg": JpegTask}


class WireBroken(Exception):
    """The other end said nothing that can be understood, or has gone."""


@dataclass(frozen=True, slots=True)
class Request:
    """A task, the picture's bytes, and what these may cost."""

    task: Task
    data: bytes
    limits: ImageLimits


def send_request(channel: socket.socket, request: Request) -> None:
    """Sends a request.

    Raises:
        OSError: the other end has gone, or takes nothing.
    """
    task = request.task
    if isinstance(task, SquareTask):
        said: dict[str, Any] = {"kind": "square", **_plain(task.square)}
    else:
        said = {"kind": "picture" if isinstance(task, PictureTask) else "jpeg", **_plain(task)}
    _send(channel, {"task": said, "limits": _plain(request.limits)}, request.data)


def receive_request(channel: socket.socket) -> Request | None:
    """The next request; None at the end of the conversation."""
    got = _receive(channel, None)
    if got is None:
        return None
    header, data = got
    said = dict(header["task"])
    kind = said.pop("kind")
    task: Task = SquareTask(Square(**said)) if kind == "square" else _KINDS[kind](**said)
    return Request(task, bytes(data), ImageLimits(**header["limits"]))


def send_answer(channel: socket.socket, answer: Made | ImageError) -> None:
    """Sends what came of a request."""
    if isinstance(answer, Made):
        _send(channel, {"size_px": answer.size_px, "whole_px": answer.whole_px}, answer.payload)
    else:
        said = {"code": answer.code, "reason": answer.reason[:2000], "remedy": answer.remedy[:2000]}
        _send(channel, {"error": said}, b"")


def receive_answer(channel: socket.socket, most_bytes: int) -> Made | ImageError:
    """What came of a request.

    Args:
        channel: as the request was sent.
        most_bytes: of a payload; a longer one is not read.

    Raises:
        WireBroken: the other end has gone, or what it says is no answer.
        TimeoutError: it says nothing.
    """
    got = _receive(channel, most_bytes)
    if got is None:
        raise WireBroken
    header, payload = got
    try:
        if "error" in header:
            said = header["error"]
            return _LEAVES.get(said["code"], ImageDamaged)(str(said["reason"])[:2000], str(said["remedy"])[:2000])
        (width, height), (whole_width, whole_height) = header["size_px"], header["whole_px"]
        return Made(payload, (int(width), int(height)), (int(whole_width), int(whole_height)))
    except (KeyError, TypeError, ValueError) as error:
        raise WireBroken from error


_LEAVES = {leaf.code: leaf for leaf in error_leaves(ImageError) if issubclass(leaf, ImageError)}


def _plain(value: Any) -> dict[str, Any]:
    return {item.name: getattr(value, item.name) for item in fields(value)}


def _send(channel: socket.socket, header: Mapping[str, Any], payload: bytes | bytearray) -> None:
    head = json.dumps(header).encode()
    channel.sendall(_LENGTHS.pack(len(head), len(payload)) + head)
    channel.sendall(payload)


def _receive(channel: socket.socket, most_bytes: int | None) -> tuple[dict[str, Any], bytearray] | None:
    lengths = _read(channel, _LENGTHS.size)
    if lengths is None:
        return None
    head_bytes, payload_bytes = _LENGTHS.unpack(lengths)
    if head_bytes > _MOST_HEADER_BYTES or (most_bytes is not None and payload_bytes > most_bytes):
        raise WireBroken
    head, payload = _read(channel, head_bytes), _read(channel, payload_bytes)
    if head is None or payload is None:
        raise WireBroken
    try:
        header = json.loads(head)
    except ValueError as error:
        raise WireBroken from error
    if not isinstance(header, dict):
        raise WireBroken
    return header, payload


def _read(channel: socket.socket, count: int) -> bytearray | None:
    """So many bytes; None if the other end has gone before."""
    got = bytearray(count)
    view, at = memoryview(got), 0
    while at < count:
        try:
            received = channel.recv_into(view[at:])
        except ConnectionError:
            return None
        if not received:
            return None
        at += received
    return got
