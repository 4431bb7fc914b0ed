"""Clients in processes of their own: they ask over loopback connections, check each answer, and keep what they saw."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from benchmarks.soak.catalog import Shop
from benchmarks.soak.questions import HOSTILE, Question, Questions, Ranking, ranking_of, text_request

_ANSWER_S = 30.0
_MOST_TOLD = 20
_IDLE_S = 3.0
"""After which a connection is not used again: the server may be about to close it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        took_ms: from when it was due to its last byte.
    """

    status: int
    body: bytes
    retry_after: str
    took_ms: float


@dataclass(slots=True)
class Seen:
    """What clients saw.

    Attributes:
        served_ms: of each answer that is as it should be, by kind.
        refused_ms: of 429s and 503s that say when to come back, by kind.
        statuses: number of answers by kind and status.
        wrong: sentences about answers that were not what they had to be; the first of them.
        wrong_count: of all.
        faults: likewise of 5xx that are no refusal, of lost connections and missing answers.
        fault_count: of all.
    """

    served_ms: dict[str, list[float]] = field(default_factory=dict)
    refused_ms: dict[str, list[float]] = field(default_factory=dict)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    wrong_count: int = 0
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0
    wall_s: float = 0.0

    @property
    def served(self) -> int:
        """Answers that are as they should be."""
        return sum(map(len, self.served_ms.values()))

    @property
    def refused(self) -> int:
        """Refusals that say when to come back."""
        return sum(map(len, self.refused_ms.values()))

    def note(self, question: Question, answer: Answer) -> None:
        """Judges an answer."""
        kind, status = question.kind, answer.status
        self.statuses[kind, status] += 1
        if status == 429 or (status == 503 and answer.retry_after):
            code = _json(answer.body).get("code", "")
            if status == 429 or code == "overloaded":
                self.refused_ms.setdefault(kind, []).append(answer.took_ms)
                return
        if status >= 500:
            self.fault(f"{question.name}: {status} {answer.body[:200]!r}")
            return
        reason = _problem_missing(answer) if question.check is None else _checked(question, answer)
        if reason:
            self.wrong_count += 1
            self.wrong = [*self.wrong, f"{question.name}: {reason}"][:_MOST_TOLD]
        else:
            self.served_ms.setdefault(kind, []).append(answer.took_ms)

    def fault(self, sentence: str) -> None:
        """Something that must not be."""
        self.fault_count += 1
        self.faults = [*self.faults, sentence][:_MOST_TOLD]


class Connection:
    """One keep-alive connection, opened anew where the server closed it."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = urlsplit(url)
        self._where = parts.hostname or "", parts.port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used_s = 0.0

    async def ask(self, request: bytes, due_s: float | None = None) -> Answer:
        """The answer.

        Args:
            request: all its bytes.
            due_s: when it should have been sent, on ``time.perf_counter``; None: now.

        Raises:
            OSError, EOFError, TimeoutError: there was none.
        """
        start_s = time.perf_counter() if due_s is None else due_s
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await self._asked(request, start_s)
        except BaseException:
            await self.close()
            raise

    def another(self) -> Connection:
        """A new one to the same server."""
        return Connection(self._url)

    async def close(self) -> None:
        """Closes it."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _asked(self, request: bytes, start_s: float) -> Answer:
        if time.perf_counter() - self._used_s > _IDLE_S:
            await self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._where)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        headers = _headers(head)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self._used_s = time.perf_counter()
        took_ms = (self._used_s - start_s) * 1000
        if headers.get("connection", "") == "close":
            await self.close()
        return Answer(int(head.split(b" ", 2)[1]), body, headers.get("retry-after", ""), took_ms)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the clients of one process do.

    Attributes:
        url: of the server.
        shop: what is known of it.
        rankings: see ``Questions``.
        seconds: nothing is asked after this.
        clients: connections that each ask one question after the other.
        kind: of all questions; empty: mixed.
        rate: questions a second that come whether or not others are answered, in place of clients; 0: clients.
        begin_s: over which clients begin, one after the other, as people do.
        patient: whether who is refused comes back when it was told to.
        seed: of the questions.
    """

    url: str
    shop: Shop
    rankings: dict[str, Ranking]
    seconds: float
    clients: int = 1
    kind: str = ""
    rate: float = 0.0
    begin_s: float = 0.0
    patient: bool = True
    seed: int = 1


def carry_out(plan: Plan) -> Seen:
    """Asks until the time is over; called in a process of its own."""
    questions = Questions(plan.shop, plan.rankings, plan.seed)
    return asyncio.run(_arrivals(plan, questions) if plan.rate else _clients(plan, questions))


def recovered_after_s(plan: Plan, limit_ms: float) -> float:
    """Seconds until photos of a third of a second are all served within the limit; infinite if they never are."""
    start_s = time.perf_counter()
    number = 0
    while time.perf_counter() - start_s < plan.seconds:
        begun_s = time.perf_counter() - start_s
        number += 1
        seen = carry_out(replace(plan, seconds=0.3, seed=plan.seed * 1000 + number))
        took_ms = [ms for values in seen.served_ms.values() for ms in values]
        if took_ms and max(took_ms) <= limit_ms and not seen.refused and not seen.fault_count:
            return begun_s
    return float("inf")


def learn_rankings(url: str, shop: Shop) -> dict[str, Ranking]:
    """What each text finds now, asked one after the other."""

    async def ask() -> dict[str, Ranking]:
        connection = Connection(url)
        answers = {text: await connection.ask(text_request(text)) for text in shop.texts}
        await connection.close()
        return {text: ranking_of(json.loads(answer.body)) for text, answer in answers.items()}

    return asyncio.run(ask())


async def _clients(plan: Plan, questions: Questions) -> Seen:
    seen = Seen()
    start_s = time.perf_counter()

    async def client(number: int) -> None:
        await asyncio.sleep(plan.begin_s * number / plan.clients)
        connection = Connection(plan.url)
        while time.perf_counter() - start_s < plan.seconds:
            question = questions.of(plan.kind) if plan.kind else questions.draw()
            answer = await _noted(connection, question, seen)
            if answer is not None and answer.retry_after:
                await asyncio.sleep(float(answer.retry_after) if plan.patient else 0.05)
        await connection.close()

    await asyncio.gather(*map(client, range(plan.clients)))
    seen.wall_s = time.perf_counter() - start_s
    return seen


async def _arrivals(plan: Plan, questions: Questions) -> Seen:
    """Questions at a steady rate, each over a free connection, or a new one where there is none."""
    seen, free = Seen(), [Connection(plan.url)]
    start_s = time.perf_counter()
    under_way: set[asyncio.Task[None]] = set()

    async def ask(due_s: float) -> None:
        connection = free.pop() if free else Connection(plan.url)
        await _noted(connection, questions.of(plan.kind) if plan.kind else questions.draw(), seen, due_s)
        free.append(connection)

    for number in range(round(plan.rate * plan.seconds)):
        due_s = start_s + number / plan.rate
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        task = asyncio.create_task(ask(due_s))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    seen.wall_s = time.perf_counter() - start_s
    for connection in free:
        await connection.close()
    return seen


async def _noted(connection: Connection, question: Question, seen: Seen, due_s: float | None = None) -> Answer | None:
    # a hostile request may be answered before all of it is read; its connection is not used again
    connection_of_own = connection.another() if question.kind == HOSTILE else connection
    try:
        answer = await connection_of_own.ask(question.request, due_s)
    except (OSError, EOFError, TimeoutError, ValueError) as error:
        seen.fault(f"{question.name}: {type(error).__name__} {error}")
        return None
    finally:
        if question.kind == HOSTILE:
            await connection_of_own.close()
    seen.note(question, answer)
    return answer


def _checked(question: Question, answer: Answer) -> str:
    if answer.status != 200:
        return f"{answer.status} {answer.body[:200]!r}"
    assert question.check is not None
    try:
        return question.check(json.loads(answer.body))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        return f"cannot be read: {type(error).__name__} {error}"


def _problem_missing(answer: Answer) -> str:
    """What is wrong with the answer to a hostile request: it must be a problem, and tell nothing of the inside."""
    if not 400 <= answer.status < 500:
        return f"{answer.status} {answer.body[:200]!r}"
    if b"Traceback" in answer.body or b"/indexer/" in answer.body or b"/search_api/" in answer.body:
        return f"tells of the inside: {answer.body[:200]!r}"
    return "" if _json(answer.body).get("code") else f"no problem document: {answer.body[:200]!r}"


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
