"""The connection to Redis: one place for its address, its timeouts and its errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from indexer.breaker import CircuitBreaker
from indexer.errors import ConfigurationError, LedgerUnavailable, VitrineError
from indexer.rate_limits.port import BucketsUnavailable
from indexer.settings import Settings

_CONNECT_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 15.0
_QUICK_RETRIES = 3
_SHOPPER_TIMEOUT_S = 0.25
"""Of what a shopper waits for; without an answer it is done without Redis."""
_SHOPPER_CONNECTIONS = 16


class RedisConnection:
    """Commands and scripts; safe to use from several threads.

    Args:
        url: ``redis://[:PASSWORD@]HOST:PORT/DB``, or ``rediss://`` for TLS.
        failure: raised if Redis does not answer, or refuses.
        breaker: where people wait for answers; hears of every call. None: every call is tried.

    Raises:
        ConfigurationError: that is no such address.
    """

    def __init__(
        self, url: str, failure: type[VitrineError] = LedgerUnavailable, breaker: CircuitBreaker | None = None
    ) -> None:
        self._failure = failure
        self._breaker = breaker
        try:
            self._client = redis.Redis.from_url(
                url,
                decode_responses=True,
                socket_connect_timeout=_CONNECT_TIMEOUT_S,
                socket_timeout=_ANSWER_TIMEOUT_S,
                # a connection that was cut; who waited for an answer in vain has waited long enough
                retry=Retry(ExponentialBackoff(cap=1.0, base=0.05), _QUICK_RETRIES, (redis.ConnectionError,)),
            )
        except ValueError as error:
            raise _no_address() from error

    def call(self, *command: str | float) -> Any:
        """One command.

        Raises:
            LedgerUnavailable: Redis does not answer, or refuses; or the error that the connection was made with.
        """
        return self._tried(lambda: self._client.execute_command(*command))  # type: ignore[no-untyped-call]

    def run_script(self, script: str, keys: Sequence[str], arguments: Sequence[str | int | float] = ()) -> Any:
        """A Lua script, which Redis runs as one step.

        Raises:
            LedgerUnavailable: Redis does not answer, or refuses; or the error that the connection was made with.
        """
        return self._tried(lambda: self._client.register_script(script)(keys=list(keys), args=list(arguments)))

    def close(self) -> None:
        """Closes the pooled connections."""
        self._client.close()

    def _tried(self, call: Callable[[], Any]) -> Any:
        try:
            with self._breaker.attempt(_is_away) if self._breaker is not None else nullcontext():
                return call()
        except redis.RedisError as error:
            raise self._failure(f"Redis cannot be used: {error}.", "Check that it runs, and redis_url.") from error


class AsyncRedisConnection:
    """Scripts for requests of shoppers: for an event loop, quick to give up.

    Args:
        url: see ``RedisConnection``.

    Raises:
        ConfigurationError: that is no such address.
    """

    def __init__(self, url: str) -> None:
        try:
            pool = redis.asyncio.BlockingConnectionPool.from_url(
                url,
                max_connections=_SHOPPER_CONNECTIONS,
                timeout=_SHOPPER_TIMEOUT_S,
                socket_connect_timeout=_SHOPPER_TIMEOUT_S,
                socket_timeout=_SHOPPER_TIMEOUT_S,
                # a connection that Redis' restart has cut is found out by using it
                retry=AsyncRetry(NoBackoff(), 1),
            )
        except ValueError as error:
            raise _no_address() from error
        self._client = redis.asyncio.Redis.from_pool(pool)

    def script(self, text: str) -> Callable[[Sequence[str], Sequence[str | int | float]], Awaitable[Any]]:
        """A Lua script as a function of keys and arguments, which raises BucketsUnavailable."""
        registered = self._client.register_script(text)

        async def run(keys: Sequence[str], arguments: Sequence[str | int | float]) -> Any:
            try:
                return await registered(keys=list(keys), args=list(arguments))
            except (redis.RedisError, OSError) as error:
                raise BucketsUnavailable(f"Redis cannot be used: {error}.") from error

        return run

    async def ping(self) -> None:
        """Returns if Redis answers.

        Raises:
            BucketsUnavailable: it does not.
        """
        try:
            await self._client.execute_command("PING")  # type: ignore[no-untyped-call]
        except (redis.RedisError, OSError) as error:
            raise BucketsUnavailable(f"Redis cannot be used: {error}.") from error

    async def close(self) -> None:
        """Closes the pooled connections."""
        await self._client.aclose()


def guarded_connection(settings: Settings, part: str, failure: type[VitrineError]) -> RedisConnection:
    """A connection behind a circuit breaker, once Redis has answered.

    Args:
        settings: address, and when the breaker opens.
        part: what is kept there, for metrics and messages: ``ledger``, ``event log``.
        failure: see ``RedisConnection``.

    Raises:
        ConfigurationError: the address is missing or none.
        VitrineError: ``failure``: Redis does not answer.
    """
    breaker = CircuitBreaker(part, settings.breaker_policy(), failure)
    connection = RedisConnection(redis_address(settings), failure, breaker)
    connection.call("PING")
    return connection


def _is_away(error: Exception) -> bool:
    return isinstance(error, redis.ConnectionError | redis.TimeoutError)


def _no_address() -> ConfigurationError:
    return ConfigurationError("redis_url is no Redis address.", "It looks like redis://:PASSWORD@HOST:6379/0.")


def redis_address(settings: Settings) -> str:
    """The address of Redis, password included.

    Raises:
        ConfigurationError: it is not set.
    """
    url = settings.redis_url.get_secret_value()
    if not url:
        raise ConfigurationError(
            "The run ledger or the dispatcher needs Redis, but redis_url is empty.", "Set VITRINE_REDIS_URL."
        )
    return url
