"""A photo as the body of a request: in a form, or by itself."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from indexer.errors import ImageEmpty, ImageNotAnImage, ImageTooLarge
from indexer.images.limits import ImageLimits

_BINARY = {"schema": {"type": "string", "format": "binary"}}
IMAGE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
            "image/*": _BINARY,
        },
    }
}
"""For OpenAPI."""


async def uploaded_photo(request: Request, limits: ImageLimits) -> bytes:
    """The picture's bytes out of either kind of body.

    Raises:
        ImageError: there is no picture, or a larger one than allowed.
    """
    kind = media_type(request)
    if kind == "multipart/form-data":
        async with request.form(max_files=1, max_fields=4) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise ImageEmpty("The form has no file in its field 'file'.", "Send the photo in that field.")
            return await file_bytes(file, limits)
    return await raw_photo(request, limits, otherwise="multipart/form-data with a field 'file'")


async def raw_photo(request: Request, limits: ImageLimits, *, otherwise: str) -> bytes:
    """A picture that is the whole body.

    Args:
        request: with the picture.
        limits: of an uploaded photo.
        otherwise: what else the route takes, for the error's remedy.

    Raises:
        ImageError: it is no picture's, or larger than allowed.
    """
    kind = media_type(request)
    if not kind.startswith("image/") and kind != "application/octet-stream":
        raise ImageNotAnImage(
            f"The content type {kind or 'is missing and'} is not taken here.",
            f"Send {otherwise}, or the bytes of a picture with their image/* content type.",
        )
    data = await request.body()
    check_size(data, limits)
    return data


async def file_bytes(file: UploadFile, limits: ImageLimits) -> bytes:
    """What a file of a form holds; no more is read than is needed to see that it is too large.

    Raises:
        ImageTooLarge: it is larger than allowed.
    """
    data = await file.read(limits.max_bytes + 1)
    check_size(data, limits)
    return data


def media_type(request: Request) -> str:
    """Of the body, in lower case and without parameters; empty if the request says none."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def check_size(data: bytes, limits: ImageLimits) -> None:
    """Returns if a photo is not larger than allowed.

    Raises:
        ImageTooLarge: it is.
    """
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(f"The photo is larger than the limit of {limits.max_megabytes}.", "Send a smaller one.")
