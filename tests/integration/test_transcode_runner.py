"""The spawner with real processes: limits, watchdogs, no orphans; and workspaces of dead owners."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kernel.errors import EncodeError
from tests.support.synthetic_recording import FFMPEG
from tests.support.waiting import eventually
from transcode import commands
from transcode.progress import Progress
from transcode.runner import ToolError, run_tool
from transcode.settings import GIB, PROBE_LIMITS, Limits, share_cores
from transcode.workspace import open_workspace, remove_stale_workspaces

PYTHON = sys.executable
GREEDY = "import time; x = bytearray(b'x') * (200 << 20); time.sleep(60)"


def limits(**changes: float | None) -> Limits:
    return Limits(**{"wall_s": 20.0, **changes})  # type: ignore[arg-type]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


async def test_output_is_returned_and_manners_are_kept() -> None:
    code = (
        "import os,sys,resource;"
        "print(os.nice(0), os.getpgrp()==os.getpid(), sys.stdin.read()=='',"
        "*(resource.getrlimit(k)[0] for k in (resource.RLIMIT_AS, resource.RLIMIT_CORE)))"
    )
    result = await run_tool([PYTHON, "-c", code], limits=limits(address_bytes=3 * GIB))
    assert result.stdout.split() == [b"15", b"True", b"True", b"%d" % (3 * GIB), b"0"]


async def test_progress_is_reported() -> None:
    seen: list[Progress] = []
    argv = [
        FFMPEG,
        "-nostdin",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=64x36:r=10",
        "-t",
        "2",
    ]
    argv += ["-f", "null", "-", "-progress", "pipe:1", "-stats_period", "0.1"]
    await run_tool(argv, limits=limits(stall_s=10), on_progress=seen.append)
    assert seen[-1].is_end
    assert seen[-1].frame == 20


async def test_a_program_without_progress_is_killed() -> None:
    code = "import os,time; print('frame=1\\nprogress=continue', flush=True); time.sleep(60)"
    with pytest.raises(EncodeError, match=r"no progress for 0\.5 s at frame 1") as caught:
        await run_tool([PYTHON, "-c", code], limits=limits(stall_s=0.5), on_progress=lambda _: None)
    assert not caught.value.permanent


async def test_a_program_that_repeats_itself_makes_no_progress() -> None:
    block = "print('frame=1\\nprogress=continue', flush=True)"
    code = f"import time\nwhile True: {block}; time.sleep(0.02)"
    with pytest.raises(EncodeError, match="no progress"):
        await run_tool([PYTHON, "-c", code], limits=limits(stall_s=1.0), on_progress=lambda _: None)


async def test_the_wall_deadline_holds() -> None:
    with pytest.raises(EncodeError, match=r"not finished after 0\.3 s"):
        await run_tool([PYTHON, "-c", "import time; time.sleep(60)"], limits=limits(wall_s=0.3))


async def test_too_much_output_ends_the_program() -> None:
    code = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    with pytest.raises(EncodeError, match="more than 1000 bytes"):
        await run_tool([PYTHON, "-c", code], limits=limits(stdout_bytes=1000))


@pytest.mark.parametrize(
    ("code", "changes", "words"),
    [
        ("b'x' * (8 << 30)", {"address_bytes": GIB}, "MemoryError"),
        ("\nwhile True: pass", {"cpu_s": 1}, "SIGXCPU|SIGKILL"),
        (
            "import os; f=os.open('big', 577); [os.write(f, b'x' * 900) for _ in range(3)]",
            {"file_bytes": 1000},
            "File too large|SIGXFSZ",
        ),
    ],
)
async def test_resource_limits_hold(
    code: str,
    changes: dict[str, float],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EncodeError, match=words):
        await run_tool([PYTHON, "-c", code], limits=limits(**changes))


async def test_failures_say_what_the_program_said(tmp_path: Path) -> None:
    path = tmp_path / "evil.mp4"
    path.write_bytes(b"\x00\x00\x00\x18ftypisom" + os.urandom(2000))
    with pytest.raises(EncodeError, match="Invalid data found") as caught:
        await run_tool(
            commands.probe(Path(FFMPEG).with_name("ffprobe-linux-x64"), path), limits=PROBE_LIMITS
        )
    assert caught.value.permanent
    with pytest.raises(EncodeError, match="cannot start"):
        await run_tool([str(tmp_path / "absent")], limits=limits())


async def test_a_playlist_in_disguise_opens_nothing(tmp_path: Path) -> None:
    # An MPD or a playlist named .mp4 once made ffmpeg fetch what it named.
    bait = tmp_path / "bait.ts"
    bait.write_bytes(b"secret")
    path = tmp_path / "evil.mp4"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{bait}\n#EXT-X-ENDLIST\n")
    probe = Path(FFMPEG).with_name("ffprobe-linux-x64")
    with pytest.raises(EncodeError) as caught:
        await run_tool(commands.probe(probe, path), limits=PROBE_LIMITS)
    assert caught.value.permanent


async def test_cancelling_kills_the_group(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = f"import os,time; open({str(note)!r},'w').write(str(os.getpid())); time.sleep(60)"
    task = asyncio.create_task(run_tool([PYTHON, "-c", code], limits=limits()))
    pid = int(await eventually(lambda: note.exists() and note.read_text()))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not is_running(pid)


CHILD = """
import asyncio, sys
from transcode.runner import run_tool
from transcode.settings import Limits
code = "import os,time; open(%r,'w').write(str(os.getpid())); time.sleep(60)" % sys.argv[1]
asyncio.run(run_tool([sys.executable, "-c", code], limits=Limits(wall_s=50)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no PR_SET_PDEATHSIG")
async def test_programs_die_with_a_killed_worker(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    worker = await asyncio.create_subprocess_exec(
        PYTHON, "-c", CHILD, str(note), cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL
    )
    try:
        pid = int(await eventually(lambda: note.exists() and note.read_text(), timeout_s=20))
    finally:
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
    await eventually(lambda: not is_running(pid), message="the program outlived its worker")


def test_workspaces_of_dead_owners_are_removed_and_those_in_use_kept(tmp_path: Path) -> None:
    code = (
        "import sys,os;from pathlib import Path;from transcode.workspace import open_workspace\n"
        "with open_workspace(Path(sys.argv[1]), 'dead') as f:\n"
        "  (f / 'x').write_text('x')\n"
        "  os._exit(9)"
    )
    argv = [PYTHON, "-c", code, str(tmp_path)]
    assert subprocess.run(argv, cwd=Path(__file__).parents[2], check=False).returncode == 9
    with open_workspace(tmp_path, "alive") as folder:
        (folder / "x").write_text("x")
        assert remove_stale_workspaces(tmp_path) == 1
        assert [path.name.split("-")[0] for path in folder.parent.iterdir()] == ["alive"]
        assert (folder / "x").exists()
    assert list(folder.parent.iterdir()) == []


async def test_a_program_that_takes_too_much_memory_is_ended() -> None:
    code = GREEDY
    with pytest.raises(ToolError, match="100 are allowed") as caught:
        await run_tool([PYTHON, "-c", code], limits=limits(memory_bytes=100 << 20))
    assert caught.value.cause == "memory"
    assert not caught.value.permanent
    assert "内存" in caught.value.title


async def test_memory_of_children_counts_too() -> None:
    code = f"import subprocess,sys; subprocess.run([sys.executable, '-c', {GREEDY!r}])"
    with pytest.raises(ToolError, match="of memory"):
        await run_tool([PYTHON, "-c", code], limits=limits(memory_bytes=100 << 20))


async def test_nothing_starts_on_a_full_disk(tmp_path: Path) -> None:
    note = tmp_path / "started"
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(ToolError, match="bytes are free") as caught:
        await run_tool(
            [PYTHON, "-c", f"open({str(note)!r}, 'w')"],
            limits=limits(folder=tmp_path, free_bytes=2 * free),
        )
    assert caught.value.cause == "disk"
    assert not note.exists()


@pytest.mark.parametrize(
    ("code", "cause", "words"),
    [
        ("import os,signal; os.kill(os.getpid(), signal.SIGKILL)", "memory", "系统终止"),
        ("import os,signal; os.kill(os.getpid(), signal.SIGSEGV)", "tool", "意外终止"),
        ("\nwhile True: pass", "timeout", "处理器时间"),
        ("import sys; sys.exit('av_write: No space left on device')", "disk", "磁盘"),
        ("import sys; sys.exit('x: Cannot allocate memory')", "memory", "内存"),
        ("import sys; sys.exit('Invalid data found when processing input')", "media", ""),
    ],
)
async def test_every_bad_end_has_a_cause_and_a_sentence(code: str, cause: str, words: str) -> None:
    with pytest.raises(ToolError) as caught:
        await run_tool([PYTHON, "-c", code], limits=limits(cpu_s=1))
    assert caught.value.cause == cause
    assert words in caught.value.title


async def test_a_program_sees_only_its_processors() -> None:
    some = sorted(os.sched_getaffinity(0))[:1]
    code = "import os; print(*os.sched_getaffinity(0))"
    result = await run_tool([PYTHON, "-c", code], limits=limits(cores=tuple(some)))
    assert [int(word) for word in result.stdout.split()] == some


@pytest.mark.parametrize(
    ("cores_count", "slots_count", "expected"),
    [(2, 1, 2), (2, 2, 2), (4, 2, 4), (32, 8, 8), (32, 1, 32), (8, 64, 2), (1, 4, 1)],
)
def test_units_that_run_at_once_share_the_processors(
    cores_count: int, slots_count: int, expected: int
) -> None:
    shares = [
        share_cores(range(cores_count), slot=slot, slots_count=slots_count)
        for slot in range(slots_count)
    ]
    assert {len(share) for share in shares} == {expected}
    if slots_count * expected >= cores_count:
        assert set().union(*shares) == set(range(cores_count)), "no processor is left out"
