"""A test that does not run must say why, and the why must be known: else the whole run fails.

Registered in the root conftest.py. ``ALLOWED`` holds the beginnings of accepted reasons.
"""

from __future__ import annotations

import sys

import pytest

ALLOWED = (
    "no docker client",  # The compose file is parsed instead; compose itself needs Docker.
    "the docker client has no compose plugin",
    "shared media is not here",  # Files that are not part of the repository.
    "macOS has no PR_SET_PDEATHSIG",
    "mounting a file system is not permitted",  # A full disk needs root to make one.
)
ALLOWED_WITHOUT_BROWSER = "no Chromium on this machine"

_unknown = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_unknown] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> object:  # the report passes through
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if reason.startswith(ALLOWED_WITHOUT_BROWSER):
            item.config.stash[_unknown] += _judge_missing_browser(item)
        elif not reason.startswith(ALLOWED):
            item.config.stash[_unknown].append(f"{item.nodeid}: {reason}")
    return report


def _judge_missing_browser(item: pytest.Item) -> list[str]:
    """Where the tests install the browser themselves (root on Debian), it must be there."""
    import os
    import shutil

    installs = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get")
    return [f"{item.nodeid}: no Chromium although it can be installed"] if installs else []


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    unknown = session.config.stash[_unknown]
    if unknown:
        sys.stderr.write(
            "\nskipped for a reason that is not listed:\n  " + "\n  ".join(unknown) + "\n"
        )
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
