"""JSON lines of figures."""

from __future__ import annotations

import json
import os
import platform
import sys
from typing import Any, Literal

import psutil

QUIET_LOOK_S = 3.0
QUIET_CORES = 0.2  # What a desktop or a CI agent uses by itself.


class Report:
    """Prints each figure as it is measured."""

    def figure(
        self,
        name: str,
        value: float,
        *,
        unit: str,
        compares: str,
        goal: float | None = None,
        better: Literal["lower", "higher"] = "lower",
        **more: Any,
    ) -> None:
        """One line; ``is_met`` says whether the goal is reached, nothing fails because of it."""
        line: dict[str, Any] = {"bench": name, "value": round(value, 4), "unit": unit}
        if goal is not None:
            line["goal"] = goal
            line["is_met"] = value <= goal if better == "lower" else value >= goal
        line["compares"] = compares
        line.update(more)
        self._print(line)

    def machine(self) -> None:
        """What the figures were measured on, and how busy others keep it."""
        busy = psutil.cpu_percent(interval=QUIET_LOOK_S) / 100 * (os.cpu_count() or 1)
        if busy > QUIET_CORES:
            sys.stderr.write(f"other programs use {busy:.1f} cores: these figures mean little\n")
        self._print(
            {
                "bench": "machine",
                "cores": os.cpu_count(),
                "machine": platform.machine(),
                "python": platform.python_version(),
                "others_cores": round(busy, 2),
                "is_quiet": busy <= QUIET_CORES,
            }
        )

    def failed(self, name: str) -> None:
        """The bench could not run; the reason is on standard error."""
        self._print({"bench": name, "failed": True})

    def _print(self, line: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stdout.flush()
