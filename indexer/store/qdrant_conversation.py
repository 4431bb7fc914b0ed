"""What is asked of a Qdrant server, written down once and carried out by a blocking or an asynchronous client.

Both of qdrant-client's clients have the same methods with the same arguments. So a question is data (``Ask``), and what
takes several is a generator that yields them and is sent their answers (``Conversation``).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from indexer.errors import VitrineError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Ask(Generic[_T]):
    """One call.

    Attributes:
        method: of the client.
        arguments: by name.
        read: makes the client's answer one of this program's.
    """

    method: str
    arguments: Mapping[str, Any]
    read: Callable[[Any], _T]


Conversation: TypeAlias = Generator[Ask[Any], Any, _T]
"""Yields calls, is sent their answers, or thrown what failed, and returns what it was about."""


def asked(ask: Ask[_T]) -> Conversation[_T]:
    """A conversation of one call."""
    answer: _T = yield ask
    return answer


@dataclass(slots=True)
class Turn(Generic[_T]):
    """The next call of a conversation, or its end.

    Attributes:
        ask: None at the end.
        result: at the end.
    """

    ask: Ask[Any] | None = None
    result: _T | None = None


def begin(conversation: Conversation[_T]) -> Turn[_T]:
    """Its first turn."""
    return _turn(lambda: next(conversation))


def go_on(conversation: Conversation[_T], answer: Any) -> Turn[_T]:
    """The turn after an answer."""
    return _turn(lambda: conversation.send(answer))


def go_on_after(conversation: Conversation[_T], error: VitrineError) -> Turn[_T]:
    """The turn after a call that failed.

    Raises:
        VitrineError: the error itself, where the conversation knows no answer to it.
    """
    return _turn(lambda: conversation.throw(error))


def _turn(step: Callable[[], Ask[Any]]) -> Turn[Any]:
    try:
        return Turn(ask=step())
    except StopIteration as end:
        return Turn(result=end.value)
