"""The broker, seen from vod: put one message on one queue, by task name only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar

from celery import Celery
from kombu.exceptions import ChannelError, KombuError
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from kernel.errors import DependencyError
from kernel.messages import RUN_UNIT_TASK

SEND_DEADLINE_S: Final = (
    10.0  # Longer than the socket's own deadline, so that usually speaks first.
)
SOCKET_TIMEOUT_S: Final = 5.0
Result = TypeVar("Result")


class Broker(Protocol):
    """Port: where messages for workers go."""

    async def send(self, queue: str, payload: str) -> None:
        """Hand one message over; it is on the queue when this returns.

        Raises:
            DependencyError: The broker is away or slow; the message may or may not have arrived.
        """

    async def count_messages(self, queue: str) -> int:
        """How many messages wait on a queue; those that workers hold do not count.

        Raises:
            DependencyError: The broker is away or slow.
        """


class CeleryBroker:
    """Celery's producer in one thread of its own, so that a hanging broker costs nobody else."""

    def __init__(self, url: str) -> None:
        """``url``: ``redis://...`` or ``redis+socket://PATH``."""
        self._app = Celery("vod", broker=url, set_as_current=False)
        self._app.conf.update(
            task_ignore_result=True,
            task_serializer="json",
            broker_connection_timeout=SOCKET_TIMEOUT_S,
            broker_transport_options={
                "socket_timeout": SOCKET_TIMEOUT_S,
                "socket_connect_timeout": SOCKET_TIMEOUT_S,
            },
        )
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="broker")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def send(self, queue: str, payload: str) -> None:
        await self._run(partial(self._send_blocking, queue, payload))

    async def count_messages(self, queue: str) -> int:
        return await self._run(partial(self._count_blocking, queue))

    async def _run(self, work: Callable[[], Result]) -> Result:
        call = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            async with asyncio.timeout(SEND_DEADLINE_S):
                return await call
        except TimeoutError as error:
            raise DependencyError(f"the broker took longer than {SEND_DEADLINE_S} s") from error

    def _send_blocking(self, queue: str, payload: str) -> None:
        try:
            # retry=False: the outbox is what retries; a send must not wait in here.
            self._app.send_task(
                RUN_UNIT_TASK,
                args=[json.loads(payload)],
                queue=queue,
                retry=False,
                ignore_result=True,
            )
        except (KombuError, BrokerError, OSError) as error:
            raise DependencyError(f"the broker failed: {error!r}") from error

    def _count_blocking(self, queue: str) -> int:
        try:
            with self._app.pool.acquire(block=True) as connection:
                found = connection.default_channel.queue_declare(queue=queue, passive=True)
                return int(found.message_count)
        except ChannelError:
            return 0  # On Redis an empty queue does not exist.
        except (KombuError, BrokerError, RedisError, OSError) as error:
            raise DependencyError(f"the broker failed: {error!r}") from error

    async def close(self) -> None:
        """Close the connections; a running send finishes within its own deadline."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._close_blocking)
        self._thread.shutdown(wait=False)

    def _close_blocking(self) -> None:
        self._app.pool.force_close_all()
        self._app.close()
