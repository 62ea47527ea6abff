"""Plan the AV1 rungs of an upload: the same pictures again, for less than two thirds. Pure.

Every rung gets a twin, the station rung, too: players never change the codec in the middle of a
lecture, so each of the two families has to serve every connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from kernel.messages import UnitPlan
from kernel.timing import to_seconds
from transcode.specs import EncodeVideoSpec, Grid, PublishAddedSpec, RangeRef, Rung, parse_spec

RANGE_NAME: Final = "av1"
ADDED_KEY: Final = "publish-av1"
SUFFIX: Final = "av1"
# Measured, see docs/decisions/0015-av1.md: there SVT-AV1 is as close to its source as x264.
CRF_STEP: Final = 26
MAX_CRF: Final = 56
CAP_SHARE: Final = Fraction(2, 3)  # Of the cap of the H.264 rung.
EFFORT: Final = 2.0  # Work of a range, in that of the H.264 rungs.


@dataclass(frozen=True, slots=True)
class AddedUnits:
    """The units that follow the publishing of the H.264 set."""

    ranges: tuple[UnitPlan, ...]
    publish: UnitPlan


def build_family(rungs: Sequence[Rung]) -> tuple[Rung, ...]:
    """Build the twins of H.264 rungs: same sizes, same rates, same grid."""
    return tuple(
        rung.model_copy(
            update={
                "name": f"{rung.name}{SUFFIX}",
                "codec": "av1",
                "crf": min(MAX_CRF, rung.crf + CRF_STEP),
                "maxrate_bps": int(rung.maxrate_bps * CAP_SHARE),
                "preset": None,
                "reason": f"与 {rung.name} 相同的画面,AV1 编码,流量更小;"
                "播放器支持时自动选用,其余播放器仍用 H.264",
            }
        )
        for rung in rungs
    )


def follow_publishing(
    ranges: Sequence[UnitPlan], family: tuple[Rung, ...], *, after: str, grid: Grid
) -> AddedUnits:
    """Let ranges of the family wait for the H.264 set, and be added to it in the end.

    Args:
        ranges: As they would be planned for H.264 rungs.
        after: Key of the unit that publishes the H.264 set.
        grid: Of the lecture.
    """
    patient = []
    for unit in ranges:
        spec = parse_spec(EncodeVideoSpec, unit.spec).model_copy(update={"is_patient": True})
        patient.append(
            unit.model_copy(
                update={
                    "after": (after,),
                    "spec": spec.model_dump(mode="json"),
                    "weight": unit.weight * EFFORT,
                }
            )
        )
    duration_ticks = patient[-1].spec["end_ticks"]
    added = PublishAddedSpec(
        adds_to=after,
        duration_ticks=duration_ticks,
        grid=grid,
        rungs=family,
        ranges=tuple(
            RangeRef(
                key=unit.key,
                start_ticks=unit.spec["start_ticks"],
                end_ticks=unit.spec["end_ticks"],
                is_black=False,
                rungs=unit.renditions,
            )
            for unit in patient
        ),
    )
    publish = UnitPlan(
        key=ADDED_KEY,
        kind="publish_asset",
        queue="long",
        spec=added.model_dump(mode="json"),
        after=(after, *(unit.key for unit in patient)),
        renditions=tuple(rung.name for rung in family),
        weight=to_seconds(duration_ticks) / 20 + 1,
    )
    return AddedUnits(tuple(patient), publish)
