"""The LL-HLS origin: the live window, its playlists and the handlers of ``/live``."""

from streamer.live.handlers import live_routes
from streamer.live.ports import Broadcasts
from streamer.live.viewers import Viewers
from streamer.live.window import LiveWindow

__all__ = ["Broadcasts", "LiveWindow", "Viewers", "live_routes"]
