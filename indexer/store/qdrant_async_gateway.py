"""The asynchronous client of a Qdrant server: any number of questions under way, and no thread for any."""

from __future__ import annotations

from typing import Any, TypeVar

from indexer.breaker import CircuitBreaker
from indexer.errors import VitrineError
from indexer.store.qdrant_calls import CLIENT_ERRORS, connect_async
from indexer.store.qdrant_conversation import Ask, Conversation, begin, go_on, go_on_after
from indexer.store.qdrant_failures import judged, store_error
from indexer.store.qdrant_options import ServerAddress
from indexer.store.retries import RetryPolicy, with_retries_async

_T = TypeVar("_T")


class AsyncQdrantGateway:
    """Asks; for one event loop. It connects with the first question.

    Args:
        address: of the server.
        retries: of every call.
        breaker: of the server, shared by all that ask it; hears of every try.
    """

    def __init__(self, address: ServerAddress, retries: RetryPolicy, breaker: CircuitBreaker) -> None:
        self._client = connect_async(address)
        self._retries = retries
        self._breaker = breaker

    async def converse(self, conversation: Conversation[_T]) -> _T:
        """What a conversation comes to.

        Raises:
            StoreError: a call failed.
        """
        turn = begin(conversation)
        while turn.ask is not None:
            try:
                answer = await self._answer(turn.ask)
            except VitrineError as error:
                turn = go_on_after(conversation, error)
            else:
                turn = go_on(conversation, answer)
        return turn.result  # type: ignore[return-value]

    async def close(self) -> None:
        """Releases the connections."""
        await self._client.close()

    async def _answer(self, ask: Ask[Any]) -> Any:
        call = getattr(self._client, ask.method)

        async def once() -> Any:
            with self._breaker.attempt(_passes):
                return await call(**ask.arguments)

        try:
            return ask.read(await with_retries_async(once, self._retries, judged))
        except CLIENT_ERRORS as error:
            raise store_error(error) from error


def _passes(error: Exception) -> bool:
    return judged(error).passing
