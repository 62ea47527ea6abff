"""Unit ``plan_edit``: cut a finished asset. Only its manifest is read, no media."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from pydantic import ValidationError

from kernel.errors import EncodeError
from kernel.messages import PlanReport, RenditionPlan, UnitPlan
from kernel.timing import to_seconds
from transcode.context import Outcome, UnitContext
from transcode.edit.plan import (
    CutBase,
    CutPiece,
    KeptFrames,
    build_cut_grid,
    cut_rung,
    place_boundaries,
    place_kept,
    snap_kept,
)
from transcode.edit.specs import (
    CopiedFacts,
    CutFacts,
    PieceRef,
    PlanEditSpec,
    PublishCutSpec,
    RungPieces,
)
from transcode.plan.renditions import AUDIO_NAME, describe_renditions
from transcode.publishing import read_manifest
from transcode.specs import (
    DecodeSpec,
    EncodeVideoSpec,
    FileSource,
    Rung,
    Shape,
    frame_ticks,
    parse_spec,
)

PIECE_SPS_ID: Final = 31  # Encoders begin with 0; the highest number collides with nobody's.
BASELINE_IDC: Final = 66
HIGH_IDC: Final = 100
EDIT_VERSION: Final = 1  # Raise it when cutting changes: one plan hash, one set of bytes.
AUDIO_FRAME_RATE: Final = Fraction(48_000, 1_024)  # Without pictures, cuts lie on AAC frames.


async def plan_edit(context: UnitContext) -> Outcome:
    """Plan the units of a cut.

    Raises:
        EncodeError: Permanent: the asset was made before cutting was known, or nothing is left.
    """
    spec = parse_spec(PlanEditSpec, context.unit.spec)
    facts = await read_facts(context, spec.prefix)
    program = await context.ask_version()
    return Outcome(build_edit_plan(spec, facts, program=program))


async def read_facts(context: UnitContext, prefix: str) -> CutFacts:
    """Read what the manifest of an asset says for cutting it."""
    document = await read_manifest(context, prefix)
    if document is None or document.get("cut") is None:
        raise EncodeError(
            f"{prefix} has no facts for cutting",
            permanent=True,
            title_zh="这门课程是旧版本转码的,请先重新转码再剪辑",
        )
    try:
        return CutFacts.model_validate_json(json.dumps(document["cut"]))
    except ValidationError as error:
        raise EncodeError(f"the manifest of {prefix} is not ours", permanent=True) from error


def build_base(facts: CutFacts) -> CutBase:
    """Say what is cut, in frames of the largest rung. Pure."""
    rate = facts.rungs[0].frame_rate if facts.rungs else AUDIO_FRAME_RATE
    return CutBase(facts.duration_ticks, rate, facts.starts)


def build_edit_plan(spec: PlanEditSpec, facts: CutFacts, *, program: str) -> PlanReport:
    """Plan the cut: a unit for each piece that is encoded again, and the publishing. Pure."""
    base = build_base(facts)
    kept = snap_kept(spec.kept, base)
    slot_ticks = facts.grid.slot_ticks
    boundaries = place_boundaries(kept, base, slot_ticks=slot_ticks)
    units: list[UnitPlan] = []
    groups: list[RungPieces] = []
    for rate, group in _group_rungs(facts.rungs):
        pieces = cut_rung(kept, base, frame_rate=rate)
        refs: list[PieceRef] = []
        for piece in pieces:
            key = None
            if not piece.is_copied:
                unit = _plan_piece(spec, facts, group, piece, number=len(units))
                units.append(unit)
                key = unit.key
            refs.append(
                PieceRef(key=key, first=piece.first, count=piece.count, out_first=piece.out_first)
            )
        groups.append(RungPieces(rungs=tuple(rung.name for rung in group), pieces=tuple(refs)))
    publish = PublishCutSpec(
        cut_of=spec.prefix,
        kept=tuple((item.first, item.end) for item in kept),
        grid=build_cut_grid(boundaries, facts.grid),
        duration_ticks=place_kept(kept, base.frame_rate)[-1],
        groups=tuple(groups),
    )
    units.append(_plan_publish(publish, facts, [unit.key for unit in units]))
    return PlanReport(
        plan_hash=_hash(units, program=program),
        renditions=_describe(facts, kept),
        units=tuple(units),
    )


def _group_rungs(rungs: Sequence[Rung]) -> list[tuple[Fraction, tuple[Rung, ...]]]:
    rates = sorted({rung.frame_rate for rung in rungs}, reverse=True)
    return [(rate, tuple(rung for rung in rungs if rung.frame_rate == rate)) for rate in rates]


def _plan_piece(
    spec: PlanEditSpec, facts: CutFacts, group: Sequence[Rung], piece: CutPiece, *, number: int
) -> UnitPlan:
    top = facts.rungs[0]
    rate = group[0].frame_rate
    start = frame_ticks(piece.first, frame_rate=rate)
    end = frame_ticks(piece.first + piece.count, frame_rate=rate)
    encode = EncodeVideoSpec(
        start_ticks=start,
        end_ticks=end,
        source=FileSource(
            key=f"{spec.prefix}{top.name}.mp4",
            size_bytes=facts.sizes[top.name],
            demuxer="mp4",
            video_index=0,
        ),
        decode=DecodeSpec(
            pixel_format="yuv420p",
            matrix=facts.colour,
            primaries=facts.colour,
            frame_rate=top.frame_rate,
        ),
        shape=Shape(width_px=top.width_px, height_px=top.height_px),
        grid=facts.grid.within(start, end),
        rungs=tuple(_fit_rung(rung, facts.copied.get(rung.name)) for rung in group),
        colour=facts.colour,
        preset=facts.preset,
    )
    return UnitPlan(
        key=f"cut-{number:04}",
        kind="encode_video",
        queue="short",
        spec=encode.model_dump(mode="json"),
        renditions=tuple(rung.name for rung in group),
        weight=to_seconds(end - start) + 1,
    )


def _fit_rung(rung: Rung, copied: CopiedFacts | None) -> Rung:
    """Encode pieces for a copied track so that one init segment can serve both.

    Their parameter sets get a number of their own; nothing is used that the track's profile has
    not, and pictures are held back no longer than in the track.
    """
    if copied is None:
        return rung
    params = [f"sps-id={PIECE_SPS_ID}"]
    if copied.delay_frames == 0 or copied.profile_idc == BASELINE_IDC:
        params.append("bframes=0")
    elif copied.delay_frames == 1:
        params.append("b-pyramid=none")
    if copied.profile_idc < HIGH_IDC:
        params.append("8x8dct=0")
    if copied.profile_idc == BASELINE_IDC:
        params += ["cabac=0", "weightp=0"]
    return rung.model_copy(update={"x264_params": ":".join(params)})


def _plan_publish(spec: PublishCutSpec, facts: CutFacts, after: list[str]) -> UnitPlan:
    return UnitPlan(
        key="publish",
        kind="publish_asset",
        queue="short",
        spec=spec.model_dump(mode="json"),
        after=tuple(after),
        renditions=(*(rung.name for rung in facts.rungs), AUDIO_NAME),
        weight=to_seconds(spec.duration_ticks) / 50 + 1,
    )


def _hash(units: Sequence[UnitPlan], *, program: str) -> str:
    decisive = {
        "edit": EDIT_VERSION,
        "program": program,
        "units": [[unit.key, unit.kind, unit.spec] for unit in units],
    }
    text = json.dumps(decisive, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _describe(facts: CutFacts, kept: Sequence[KeptFrames]) -> tuple[RenditionPlan, ...]:
    cuts = len(kept) - 1
    note = (
        f"从完整课程剪出 {len(kept)} 段,只有剪切处重新编码"
        if cuts
        else "掐头去尾,只有剪切处重新编码"
    )
    return describe_renditions(
        facts.rungs, lambda _rung: note, sound="声音逐帧剪切,不重新编码", sound_bps=None
    )
