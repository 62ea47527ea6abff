"""What the watched folder must still know after a restart: kept in one small file.

Entries name files relative to the inbox. Whoever is killed between two lines of the inbox finds
here which file was being sent and which ones planning may still refuse.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog

NAME: Final = "inbox.json"  # In the data folder: the inbox itself may be a share of others.
MAX_PLANNED: Final = 1000  # Files whose planning has not ended; the oldest ones are let go.

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Journal:
    """Two lists, written whenever one changes; the file is replaced, never changed in place.

    Attributes:
        path: Of the file.
        planned: Upload -> where its file was put, while planning may still refuse it.
        sending: What is being sent, or was when the process ended.
    """

    path: Path
    planned: dict[str, str] = field(default_factory=dict)
    sending: set[str] = field(default_factory=set)

    def load_blocking(self) -> None:
        """Read what an earlier process left; a damaged file is as none."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            self.planned = _read_names(found["planned"])
            self.sending = {str(name) for name in found["sending"]}
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("inbox_journal_unreadable", path=str(self.path), detail=repr(error))

    def begin_blocking(self, name: str) -> None:
        """Note that a file is being sent from now on."""
        self.sending.add(name)
        self._save_blocking()

    def expect_blocking(self, upload_id: str, name: str) -> None:
        """Note that planning may still refuse what will lie at ``name``."""
        self.planned[upload_id] = name
        while len(self.planned) > MAX_PLANNED:
            self.planned.pop(next(iter(self.planned)))
        self._save_blocking()

    def end_blocking(self, name: str) -> None:
        """Note that a file is no longer sent, and has been put aside."""
        self.sending.discard(name)
        self._save_blocking()

    def forget_blocking(self, upload_id: str) -> None:
        """Note that planning has ended."""
        self.planned.pop(upload_id, None)
        self._save_blocking()

    def _save_blocking(self) -> None:
        text = json.dumps(
            {"planned": self.planned, "sending": sorted(self.sending)}, ensure_ascii=False
        )
        draft = self.path.with_name(self.path.name + ".new")
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)


def _read_names(found: dict[str, Any]) -> dict[str, str]:
    return {str(key): str(name) for key, name in found.items()}
