"""Say before the tests whether the browser tests can run."""

from __future__ import annotations

import sys

from tests.ensure_browser import find_browser


def main() -> None:
    found = find_browser()
    if found:
        sys.stdout.write(f"browser tests: {found}\n")
    else:
        line = "!" * 78
        sys.stdout.write(
            f"{line}\n!! NO CHROMIUM FOUND: THE BROWSER TESTS DO NOT RUN.\n"
            f"!! Install chromium or set HALL_TEST_BROWSER.\n{line}\n"
        )


if __name__ == "__main__":
    main()
