"""Python's cyclic garbage collector, told what a server is."""

from __future__ import annotations

import gc
from typing import Final

# Default is 700: a thousand waiting viewers would be walked through twenty times a second.
YOUNG_COUNT: Final = 50_000
MIDDLE_COUNT: Final = 20
OLD_COUNT: Final = 50  # A full walk stops the loop for as long as the heap is large: seldom.


def settle_collector() -> None:
    """Leave out what was made at the start, and look for cycles seldom; call it when ready.

    Runs on: the loop, once; takes tens of milliseconds. Cycles still go: ours are small and few.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_COUNT, MIDDLE_COUNT, OLD_COUNT)
