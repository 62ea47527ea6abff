"""The LL-HLS origin: the live window, its playlists and the handlers of ``/live``."""

from streamer.live.edge_cache import EdgeCache, GateEdgeCache, NullEdgeCache
from streamer.live.handlers import live_routes
from streamer.live.ports import Broadcasts
from streamer.live.viewers import Viewers
from streamer.live.window import LiveWindow

__all__ = [
    "Broadcasts",
    "EdgeCache",
    "GateEdgeCache",
    "LiveWindow",
    "NullEdgeCache",
    "Viewers",
    "live_routes",
]
