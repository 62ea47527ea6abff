"""Files that other people made: not part of the repository, tried where they lie beside it.

``HALL_TEST_MEDIA`` names their folder; else ``../shared/media`` is looked at.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[3] / "shared" / "media"
MEDIA = Path(os.environ.get("HALL_TEST_MEDIA") or BESIDE)


def require_media(name: str) -> Path:
    """The file, or the test is reported as not run."""
    path = MEDIA / name
    if not path.is_file():
        pytest.skip("shared media is not here: HALL_TEST_MEDIA names its folder")
    return path
