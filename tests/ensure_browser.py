"""Make sure of a Chromium for the browser tests: installs Debian's when we are root.

Exits with 0 in any case; `tests.report_browser` says loudly what was found.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def find_browser() -> str | None:
    """Path of a Chromium or Chrome; ``HALL_TEST_BROWSER`` wins."""
    named = os.environ.get("HALL_TEST_BROWSER")
    if named:
        return named
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    return MAC if os.access(MAC, os.X_OK) else None


def main() -> None:
    """Install what is missing where we may."""
    if not (os.geteuid() == 0 and shutil.which("apt-get")):
        return
    wanted = [] if find_browser() else ["chromium"]
    fonts = b""
    if shutil.which("fc-list"):
        fonts = subprocess.run(["fc-list", ":lang=zh"], capture_output=True, check=False).stdout
    wanted += [] if fonts.strip() else ["fonts-noto-cjk"]
    if wanted:
        sys.stdout.write(f"installing {' '.join(wanted)} for the browser tests\n")
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted],
            check=False,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )


if __name__ == "__main__":
    main()
