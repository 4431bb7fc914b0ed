"""The port of token buckets: what is taken from them, and what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class BucketsUnavailable(Exception):
    """Where buckets are kept does not answer; whoever asks counts by itself meanwhile."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a bucket gives.

    Attributes:
        per_s: tokens that flow into it each second, above 0.
        burst: tokens that it holds when it is full, 1 or more.
    """

    per_s: float
    burst: float

    @property
    def span_s(self) -> float:
        """From empty to full."""
        return self.burst / self.per_s

    def cost_s(self, tokens: float) -> float:
        """How long so many tokens take to flow in."""
        return tokens / self.per_s


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of taking tokens.

    Attributes:
        allowed: whether there were enough; otherwise none was taken.
        remaining: tokens left.
        full_after_s: until the bucket is full again, if nothing more is taken.
        retry_after_s: until there are enough; 0 if there were.
    """

    allowed: bool
    remaining: float
    full_after_s: float
    retry_after_s: float

    @staticmethod
    def of(rate: Rate, tokens: float, empty_s: float, *, allowed: bool) -> Taken:
        """From how much of the bucket is empty.

        Args:
            rate: of the bucket.
            tokens: asked for.
            empty_s: how long the missing tokens take to flow in, after the taking.
            allowed: whether they were taken.
        """
        wait_s = 0.0 if allowed else max(0.0, empty_s + rate.cost_s(tokens) - rate.span_s)
        return Taken(allowed, max(0.0, rate.burst - empty_s * rate.per_s), empty_s, wait_s)


class TokenBuckets(Protocol):
    """Buckets by name; one that was never taken from is full. A bucket is one number: when it will be full again."""

    async def take(self, name: str, rate: Rate, tokens: float = 1.0, *, force: bool = False) -> Taken:
        """Takes tokens if there are enough.

        Args:
            name: of the bucket.
            rate: of the bucket; the same for all who take from it.
            tokens: at most ``rate.burst``.
            force: takes what there is even if it is not enough, as a fine.

        Raises:
            BucketsUnavailable: they cannot be counted there now.
        """
        ...

    async def ping(self) -> None:
        """Returns if taking would work now.

        Raises:
            BucketsUnavailable: it would not.
        """
        ...

    async def close(self) -> None:
        """Releases connections."""
        ...
