"""JSON lines of figures."""

from __future__ import annotations

import json
import sys
from typing import Any, Literal


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

    def failed(self, name: str) -> None:
        """The bench could not run; the reason is on standard error."""
        self._print({"bench": name, "failed": True})

    def _print(self, line: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stdout.flush()
