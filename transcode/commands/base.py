"""What all command lines have in common: safe inputs, quiet programs, told progress. Pure.

An input is a local file, or an object of our own blob store at an address that expires; it is
opened with one protocol only, so that nothing in it can name another file or address.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ffmpeg

from kernel.errors import EncodeError

_BROKEN_SIGNS: Final = (
    "Stream ends prematurely",
    "Input/output error",
    "Connection timed out",
    "Connection refused",
    "Connection reset",
    "Broken pipe",
    "HTTP error 4",
    "HTTP error 5",
)
# ffmpeg-python ships no types; a stream is its node of the filter graph.
Stream = Any

READ_TIMEOUT_US: Final = 20_000_000  # Of one read from the blob store; then we connect again.
RECONNECT_MAX_S: Final = 8  # Pauses grow up to it ...
RECONNECT_TOTAL_S: Final = 60  # ... and end with it: then the unit fails and comes again later.


@dataclass(frozen=True, slots=True)
class MediaInput:
    """What ffmpeg and ffprobe open.

    Attributes:
        address: Absolute path, or ``http(s)://`` with a signature: never show or log it.
        demuxer: ``None`` only while the file is asked what it is.
    """

    address: str
    demuxer: str | None

    @property
    def is_local(self) -> bool:
        return not self.address.startswith(("http://", "https://"))

    def check(self, said: str) -> None:
        """Look for a connection that broke: ffmpeg takes the rest of the file for missing then.

        Args:
            said: What it printed.

        Raises:
            EncodeError: Not permanent: the store was away for longer than we connect again.
        """
        if not self.is_local and any(sign in said for sign in _BROKEN_SIGNS):
            raise EncodeError("the connection to the blob store broke off", title_zh="存储连接中断")

    @property
    def options(self) -> dict[str, Any]:
        """Options that stand before ``-i``, without their dashes."""
        forced = {} if self.demuxer is None else {"f": self.demuxer}
        if self.is_local:
            return {**forced, "protocol_whitelist": "file"}
        secure = self.address.startswith("https:")
        return {
            **forced,
            "protocol_whitelist": "https,tls,tcp" if secure else "http,tcp",
            "max_redirects": 0,  # The blob store answers itself; elsewhere we do not go.
            "rw_timeout": READ_TIMEOUT_US,
            "reconnect": 1,
            "reconnect_on_network_error": 1,
            "reconnect_on_http_error": "5xx",
            "reconnect_delay_max": RECONNECT_MAX_S,
            "reconnect_delay_total_max": RECONNECT_TOTAL_S,
        }


def open_input(path: Path | str, *, demuxer: str = "mp4", **options: Any) -> Stream:
    """A local file with a forced format, as a node of the filter graph."""
    return ffmpeg.input(
        str(path),
        f=demuxer,  # Never let the content choose its demuxer.
        protocol_whitelist="file",  # No other address can be opened, whatever the file says.
        **options,
    )


def open_media(media: MediaInput, **options: Any) -> Stream:
    """An input of any kind, as a node of the filter graph."""
    return ffmpeg.input(media.address, **media.options, **options)


def list_input(media: MediaInput) -> list[str]:
    """The same for programs that are called without a filter graph, ``-i`` included."""
    options = [str(part) for name, value in media.options.items() for part in (f"-{name}", value)]
    return [*options, "-i", media.address]


def compile_command(program: Path, outputs: Stream, *, loglevel: str = "warning") -> list[str]:
    """Render the argument list."""
    command = outputs.global_args(
        "-nostdin",  # Never read a terminal.
        "-hide_banner",  # Keep the tail of stderr for what matters.
        "-nostats",  # Progress comes through -progress, not through stderr.
        "-loglevel",
        loglevel,
    ).overwrite_output()
    argv: list[str] = ffmpeg.compile(command, cmd=str(program))
    return argv


def with_progress(outputs: Stream) -> Stream:
    """Let the program tell how far it is on standard output."""
    # The runner's watchdog reads this; twice a second is plenty.
    return outputs.global_args("-progress", "pipe:1", "-stats_period", "0.5")
