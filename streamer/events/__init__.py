"""Events for vod: a durable outbox per broadcast, delivered in order until accepted."""

from streamer.events.outbox import Outbox

__all__ = ["Outbox"]
