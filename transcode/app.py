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
from typing import Any, Final

import structlog
from celery import Celery, signals
from celery.exceptions import Reject, SecurityWarning
from pydantic import ValidationError

from kernel.blobs import open_blob_store
from kernel.config import Settings
from kernel.http import InternalClient
from kernel.messages import RUN_UNIT_TASK, RunUnit
from transcode.settings import QUEUES, VISIBILITY_TIMEOUT_S, Programs, find_programs
from transcode.work import VodAwayError, Workbench, name_worker, work_on
from transcode.workspace import remove_stale_workspaces

CALL_TIMEOUT_S: Final = 15.0  # A result may be megabytes and vod busy.
# Two units at once: sound and pictures are single-threaded, video ranges fill the other cores.
DEFAULT_CONCURRENCY: Final = 2
_PR_SET_PDEATHSIG: Final = 1

log = structlog.get_logger(__name__)


def build_app(settings: Settings) -> Celery:
    """Build the Celery app with its single task; nothing connects yet.

    Raises:
        SettingsError: ffmpeg or ffprobe is not there.
    """
    programs = find_programs(settings)
    app = Celery("transcode", broker=settings.broker, set_as_current=False)
    app.conf.update(build_config())

    @app.task(name=RUN_UNIT_TASK, ignore_result=True)  # type: ignore[untyped-decorator]
    def run_unit(*args: Any, **fields: Any) -> None:
        """Run the unit that the message names (``RunUnit`` as the one argument, or as keywords)."""
        try:
            message = RunUnit.model_validate(args[0] if args else fields)
        except ValidationError as error:
            log.error("message_not_understood", detail=str(error)[:500])  # noqa: TRY400 - the sentence is enough
            raise Reject(reason="not a RunUnit", requeue=False) from error
        try:
            asyncio.run(run_message(settings, programs, message))
        except VodAwayError as error:
            raise Reject(reason=str(error), requeue=True) from error

    return app


def build_config() -> dict[str, Any]:
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
        "broker_transport_options": {"visibility_timeout": VISIBILITY_TIMEOUT_S},
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


async def run_message(settings: Settings, programs: Programs, message: RunUnit) -> None:
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
                    worker=name_worker(),
                ),
                message,
            )
    finally:
        await store.close()


def run_worker(
    settings: Settings, *, queues: Sequence[str] = QUEUES, concurrency: int = DEFAULT_CONCURRENCY
) -> int:
    """Run a worker until it is told to stop; return the exit code.

    SIGTERM finishes the running units and takes no new ones; a second signal or SIGQUIT ends at
    once. Logging is set up by the caller.
    """
    remove_stale_workspaces(settings.data)
    # As root it warns of pickled messages; ours can only be JSON.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    app = build_app(settings)
    signals.setup_logging.connect(_keep_logging, weak=False)
    signals.worker_process_init.connect(_die_with_parent, weak=False)
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
    exit_code: int = worker.exitcode or 0
    return exit_code


def _keep_logging(**_: Any) -> None:
    """Celery leaves logging alone when somebody listens to this signal."""


def _die_with_parent(**_: Any) -> None:
    """A pool process dies with its worker even on kill -9, and its ffmpeg with it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:
            os._exit(1)
