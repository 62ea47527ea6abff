"""Start a program that dies with us, even when we are killed with -9.

Run as ``python -I -S lifeline.py PARENT_PID PROGRAM ARGS...``; standard library only, so that it
costs a few milliseconds. On Linux the kernel delivers SIGTERM when the parent is gone
(PR_SET_PDEATHSIG survives exec). Elsewhere a watcher stays behind and looks for a new parent.
"""

from __future__ import annotations

import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
POLL_S = 0.5  # Only where the kernel does not tell us (macOS).


def bind_to_parent(parent_pid: int) -> None:
    """Ask the kernel to end this process when its parent ends; exit if that already happened."""
    if sys.platform == "linux":
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:
        sys.exit(1)


def _run_watched(parent_pid: int, argv: list[str]) -> int:
    child = os.posix_spawn(argv[0], argv, os.environ)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda received, _frame: os.kill(child, received))
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if os.getppid() != parent_pid:
            os.kill(child, signal.SIGTERM)
        time.sleep(POLL_S)


def main() -> None:
    parent_pid, argv = int(sys.argv[1]), sys.argv[2:]
    bind_to_parent(parent_pid)
    if sys.platform == "linux":
        os.execv(argv[0], argv)  # noqa: S606 - an argv list, no shell
    sys.exit(_run_watched(parent_pid, argv))


if __name__ == "__main__":
    main()
