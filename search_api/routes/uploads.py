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
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        async with request.form(max_files=1, max_fields=4) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise ImageEmpty("The form has no file in its field 'file'.", "Send the photo in that field.")
            data = await file.read(limits.max_bytes + 1)
    elif media_type.startswith("image/") or media_type == "application/octet-stream":
        data = await request.body()
    else:
        raise ImageNotAnImage(
            f"The content type {media_type or 'is missing and'} is no picture's.",
            "Send multipart/form-data with a field 'file', or the bytes with their image/* content type.",
        )
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(f"The photo is larger than the limit of {limits.max_megabytes}.", "Send a smaller one.")
    return data
