"""A call as data: what is sent, and how its answer is read. Who carries it out is no matter of it."""

from __future__ import annotations

import email.utils
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, TypeAdapter, ValidationError

from search_api.client.errors import ApiAnswerInvalid, ApiProblem
from search_api.schemas import Problem

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)
Picture = bytes | str | os.PathLike[str]
"""A picture file: its bytes, or its path."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        headers: names in lower case.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file of a form.

    Attributes:
        field: of the form.
        name: of the file.
        content: its bytes, or where they lie; a path is read while it is sent.
    """

    field: str
    name: str
    content: bytes | Path


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, and how its answer is read.

    Attributes:
        method: of HTTP.
        path: below the address of the API, percent-encoded.
        read: the answer as it is given to the caller; gets only answers that are no errors.
        parameters: of the URL.
        json: the body; empty if there is none or it is a form.
        form: fields of a form.
        files: of the form.
        repeatable: whether it may be made twice: it changes nothing, or the same again.
        admin: whether it needs a key with the scope admin.
    """

    method: str
    path: str
    read: Callable[[Answer], T]
    parameters: tuple[tuple[str, str], ...] = ()
    json: bytes = b""
    form: tuple[tuple[str, str], ...] = ()
    files: tuple[FormFile, ...] = ()
    repeatable: bool = True
    admin: bool = False


def reading(kind: type[T]) -> Callable[[Answer], T]:
    """Reads answers as JSON of a model.

    Args:
        kind: a pydantic model, or another type that pydantic knows.
    """
    any_kind: Any = kind

    def read(answer: Answer) -> T:
        try:
            value: T = _adapter(any_kind).validate_json(answer.content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(step) for step in first["loc"]) or "the whole"
            raise ApiAnswerInvalid(
                f"The answer is no {getattr(kind, '__name__', kind)}: {where}: {first['msg']}. Is that the address of "
                "Vitrine, and is the client as new as the API?"
            ) from error
        return value

    return read


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def answered(call: Call[T], answer: Answer) -> T:
    """What a call gives its caller.

    Raises:
        ApiProblem, ApiAnswerInvalid
    """
    if answer.status >= 400:
        raise _problem(answer)
    return call.read(answer)


def sent(model: BaseModel) -> bytes:
    """A model as it is sent: the fields that were given, so that an older API is not told of what it does not know."""
    return model.model_dump_json(by_alias=True, exclude_unset=True).encode()


def segment(text: str) -> str:
    """A product's id as part of a path; one of dots would be taken for steps."""
    return quote(text, safe="").replace(".", "%2E") if set(text) == {"."} else quote(text, safe="")


def picture_bytes(picture: Picture) -> bytes:
    """The bytes of a picture file.

    Raises:
        OSError: there is no file of that path.
    """
    return picture if isinstance(picture, bytes) else Path(picture).read_bytes()


def as_file(picture: Picture, field: str = "file") -> FormFile:
    """A picture as a file of a form; read here, as it is sent again where a call is repeated."""
    name = field if isinstance(picture, bytes) else Path(picture).name
    return FormFile(field, name, picture_bytes(picture))


def given(parameters: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Parameters of a URL, without those that are None."""
    return tuple((name, _text(value)) for name, value in parameters.items() if value is not None)


def repeated(name: str, values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Fields of a form with one name."""
    return tuple((name, value) for value in values)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _problem(answer: Answer) -> ApiProblem:
    request_id = answer.headers.get("x-request-id", "")
    retry_after_s = _seconds(answer.headers.get("retry-after", ""))
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        text = answer.content.decode("utf-8", "replace").strip()[:200]
        detail = text or "no problem document, so the answer is not Vitrine's own"
        return ApiProblem(answer.status, "", detail, request_id=request_id, retry_after_s=retry_after_s)
    return ApiProblem(
        problem.status,
        problem.code,
        problem.detail,
        field=problem.field,
        request_id=request_id,
        retry_after_s=retry_after_s,
    )


def _seconds(retry_after: str) -> float | None:
    """Seconds to wait, from either form of the header (RFC 9110, 10.2.3)."""
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        moment = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
