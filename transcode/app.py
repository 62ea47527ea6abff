"""Composition root of a worker process: settings -> Celery -> one task.

The broker only carries "look at this unit"; the truth is in vod. Hence: late acknowledgement,
prefetch 1, no results, no events, no remote control. Each message runs in a pool process with an
event loop, HTTP client and blob store of its own.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import structlog
from billiard import current_process
from celery import Celery, bootsteps, signals
from celery.exceptions import Reject, SecurityWarning
from pydantic import ValidationError

from kernel.blobs import open_blob_store
from kernel.config import Settings
from kernel.errors import HallError
from kernel.http import InternalClient
from kernel.messages import HEARTBEAT_S, RUN_UNIT_TASK, RunUnit, WorkersSeen
from transcode.drain import Drain, StopSign
from transcode.settings import (
    QUEUES,
    VISIBILITY_TIMEOUT_S,
    Programs,
    find_programs,
    share_cores,
)
from transcode.turns import MostlyInOrder
from transcode.work import VodAwayError, Workbench, name_worker, work_on
from transcode.workspace import remove_stale_workspaces

CALL_TIMEOUT_S: Final = 15.0  # A result may be megabytes and vod busy.
ANNOUNCE_TIMEOUT_S: Final = 2.0  # The worker hands out no messages meanwhile.
_PR_SET_PDEATHSIG: Final = 1

log = structlog.get_logger(__name__)


def build_app(
    settings: Settings,
    *,
    queues: Sequence[str] = QUEUES,
    concurrency: int = 1,
    sign: StopSign | None = None,
) -> Celery:
    """Build the Celery app with its single task; nothing connects yet.

    Raises:
        SettingsError: ffmpeg or ffprobe is not there.
    """
    programs = find_programs(settings)
    sign = sign or StopSign()
    app = Celery("transcode", broker=settings.broker, set_as_current=False)
    app.conf.update(build_config(queues))

    @app.task(name=RUN_UNIT_TASK, ignore_result=True)  # type: ignore[untyped-decorator]
    def run_unit(*args: Any, **fields: Any) -> None:
        """Run the unit that the message names (``RunUnit`` as the one argument, or as keywords)."""
        try:
            message = RunUnit.model_validate(args[0] if args else fields)
        except ValidationError as error:
            log.error("message_not_understood", detail=str(error)[:500])  # noqa: TRY400 - the sentence is enough
            raise Reject(reason="not a RunUnit", requeue=False) from error
        if sign.is_up:
            raise Reject(reason="this worker stops", requeue=True)
        slot = getattr(current_process(), "index", 0)
        mine = replace(programs, cores=_choose_cores(slot, concurrency))
        worker = name_worker(process_id=os.getppid(), slot=slot)
        try:
            asyncio.run(run_message(settings, mine, message, worker=worker, sign=sign))
        except VodAwayError as error:
            raise Reject(reason=str(error), requeue=True) from error

    return app


def _choose_cores(slot: int, slots_count: int) -> tuple[int, ...]:
    if not hasattr(os, "sched_getaffinity"):
        return ()
    return share_cores(list(os.sched_getaffinity(0)), slot=slot, slots_count=slots_count)


def build_config(queues: Sequence[str] = QUEUES) -> dict[str, Any]:
    """Celery's settings, each with its reason. Pure."""
    return {
        "task_serializer": "json",  # A message can never be code.
        "accept_content": ["json"],
        "result_backend": None,  # Results go to vod over HTTP, with the fence.
        "task_ignore_result": True,
        "task_acks_late": True,  # A worker that dies has not acknowledged,
        "task_reject_on_worker_lost": True,  # and its message comes back at once.
        "worker_prefetch_multiplier": 1,  # Nobody sits on units that others could run.
        "task_default_queue": "long",
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_TIMEOUT_S,
            "queue_order_strategy": partial(MostlyInOrder, tuple(queues)),
        },
        "broker_connection_retry_on_startup": True,  # The order of starting does not matter.
        "broker_connection_max_retries": None,  # Valkey may be away for as long as it likes.
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # vod's lease decides.
        "worker_hijack_root_logger": False,  # kernel.log has set up logging.
        "worker_redirect_stdouts": False,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "worker_proc_alive_timeout": 60.0,  # On a loaded machine a pool process starts slowly.
        "enable_utc": True,
    }


async def run_message(
    settings: Settings, programs: Programs, message: RunUnit, *, worker: str, sign: StopSign
) -> None:
    """Run one message with adapters of its own."""
    store = open_blob_store(settings)
    try:
        client = InternalClient.to(settings.vod_internal_peer, settings, timeout_s=CALL_TIMEOUT_S)
        async with client:
            await work_on(
                Workbench(
                    store=store,
                    vod=client,
                    programs=programs,
                    data=settings.data,
                    worker=worker,
                ),
                message,
                stop=sign.watch(),
            )
    finally:
        sign.unwatch()
        await store.close()


class Announcer:
    """Tells vod which places this worker process has, also while nothing runs in them."""

    def __init__(self, settings: Settings, queues: Sequence[str], concurrency: int) -> None:
        self._settings = settings
        self._seen = WorkersSeen.model_validate(
            {
                "names": [
                    name_worker(process_id=os.getpid(), slot=slot) for slot in range(concurrency)
                ],
                "queues": list(queues),
            }
        )

    def tell_blocking(self, *, is_draining: bool = False, is_gone: bool = False) -> None:
        """Say it once; a vod that is away hears it the next time. Runs on: any thread, no loop."""
        body = self._seen.model_copy(update={"is_draining": is_draining, "is_gone": is_gone})
        try:
            asyncio.run(self._tell(body))
        except HallError as error:
            log.debug("worker_not_announced", detail=str(error))

    async def _tell(self, body: WorkersSeen) -> None:
        peer = self._settings.vod_internal_peer
        async with InternalClient.to(peer, self._settings, timeout_s=ANNOUNCE_TIMEOUT_S) as client:
            await client.call("POST", "/internal/workers", body=body)


def run_worker(
    settings: Settings, *, queues: Sequence[str] = QUEUES, concurrency: int | None = None
) -> int:
    """Run a worker until it is told to stop; return the exit code.

    SIGTERM takes no new units and finishes the running ones within ``HALL_DRAIN_S``; what is not
    done by then, or at a second SIGTERM, is given back. SIGQUIT ends at once. Logging is set up by
    the caller.
    """
    concurrency = concurrency or settings.worker_concurrency
    remove_stale_workspaces(settings.data)
    # As root it warns of pickled messages; ours can only be JSON.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    sign = StopSign()
    app = build_app(settings, queues=queues, concurrency=concurrency, sign=sign)
    announcer = Announcer(settings, queues, concurrency)
    drain = Drain(
        settings.drain_s,
        partial(announcer.tell_blocking, is_draining=True),
        announce_s=HEARTBEAT_S,
    )
    start_pool_process = partial(_prepare_pool_process, sign=sign)
    install_drain = partial(_install_drain, drain=drain)
    signals.setup_logging.connect(_keep_logging, weak=False)
    signals.worker_process_init.connect(start_pool_process, weak=False)
    signals.worker_ready.connect(install_drain, weak=False)
    app.steps["consumer"].add(_build_announce_step(announcer))
    worker = app.Worker(
        hostname=f"transcode-{os.getpid()}@%h",
        queues=list(queues),
        concurrency=concurrency,
        pool="prefork",
        without_gossip=True,  # Workers need not know each other:
        without_mingle=True,  # vod knows them all.
        without_heartbeat=True,
        task_events=False,
        quiet=True,  # Its banner; our own line below says the same.
    )
    log.info("worker_started", queues=list(queues), concurrency=concurrency)
    worker.start()
    announcer.tell_blocking(is_draining=True, is_gone=True)
    remove_stale_workspaces(settings.data)
    exit_code: int = worker.exitcode or 0
    log.info("worker_ended", code=exit_code)
    return exit_code


def _build_announce_step(announcer: Announcer) -> type[Any]:
    """A step of Celery's consumer: it begins anew with every connection to the broker."""

    class Announce(bootsteps.StartStopStep):  # type: ignore[misc] # Celery ships no types.
        def start(self, consumer: Any) -> None:
            announcer.tell_blocking()
            consumer.timer.call_repeatedly(HEARTBEAT_S, announcer.tell_blocking)

        def stop(self, consumer: Any) -> None:
            """The consumer clears its timers itself."""

    return Announce


def _keep_logging(**_: Any) -> None:
    """Celery leaves logging alone when somebody listens to this signal."""


def _install_drain(*, drain: Drain, **_: Any) -> None:
    drain.install()


def _prepare_pool_process(*, sign: StopSign, **_: Any) -> None:
    """A pool process dies with its worker even on kill -9, and its ffmpeg with it."""
    sign.install()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:
            os._exit(1)
