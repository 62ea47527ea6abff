"""Structured logging: static event names with keyword fields, one line each, secrets never in it.

``configure_logging`` is called once per process by its composition root; everybody else calls
``structlog.get_logger()``. Fields whose name says that they are secret are masked whatever they
hold.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

_SECRET_WORDS = (
    "password",
    "secret",
    "token",
    "credential",
    "authorization",
    "cookie",
    "stream_key",
)
_MASK = "***"
# Chatty at "info" about what our own lines already say.
_NOISY_LOGGERS = (
    "aiohttp.access",
    "aioice",
    "aiortc",
    "aiosqlite",
    "alembic",
    "celery.app.trace",
    "celery.apps.worker",
    "celery.worker.consumer.connection",
    "celery.worker.strategy",
    "urllib3",
)


def mask_secrets(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace the value of every field whose name contains a secret word."""
    for name in event:
        if any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = _MASK
    return event


def configure_logging(
    *, service: str, level: str = "info", style: Literal["json", "console"] = "console"
) -> None:
    """Send structlog and the standard library's loggers to stderr in one format.

    Args:
        service: Name of this process, bound to every line.
        level: ``debug``, ``info``, ``warning`` or ``error``.
        style: ``console`` for people, ``json`` for collectors.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask_secrets,
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if style == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            pad_event_to=0,
            # The default one prints local variables: cookies, tokens, passwords.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    final: list[structlog.types.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta
    ]
    if style == "json":
        final.append(structlog.processors.format_exc_info)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*final, renderer])
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in _NOISY_LOGGERS:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(service=service)
