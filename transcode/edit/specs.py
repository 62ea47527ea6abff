"""What cutting needs to know, and what its units are told. Pure."""

from __future__ import annotations

from pydantic import Field

from transcode.specs import ColourName, Frozen, Grid, Rung


class CopiedFacts(Frozen):
    """What must be known of a track that another encoder made, to encode pieces that fit it.

    Attributes:
        delay_frames: How many frames decoding runs before showing.
        profile_idc: 66 baseline, 77 main, 100 high.
    """

    delay_frames: int = Field(ge=0, le=16)
    profile_idc: int = Field(ge=0, le=255)


class CutFacts(Frozen):
    """What the manifest of a finished asset keeps for cutting it later.

    Attributes:
        starts: Lecture ticks where the segments of every rung begin.
        sizes: Bytes of each rendition's file by its name.
        copied: Rungs that are the source's own pictures, by name.
    """

    duration_ticks: int = Field(gt=0)
    grid: Grid
    rungs: tuple[Rung, ...]
    copied: dict[str, CopiedFacts] = Field(default_factory=dict)
    starts: tuple[int, ...]
    sizes: dict[str, int]
    colour: ColourName
    preset: str


class PlanEditSpec(Frozen):
    """Cut the asset under ``prefix``; ``kept`` are half-open ranges of its ticks, in order."""

    base_asset_id: str = Field(max_length=64)
    prefix: str = Field(pattern=r"^assets/[a-z0-9]+/[0-9a-f]+/$", max_length=256)
    kept: tuple[tuple[int, int], ...]


class PieceRef(Frozen):
    """Successive frames of a cut rung.

    Attributes:
        key: Unit that encoded them; ``None`` copies them from the base.
        first: In base frames of the rung.
        out_first: In frames of the cut rung.
    """

    key: str | None
    first: int = Field(ge=0)
    count: int = Field(gt=0)
    out_first: int = Field(ge=0)


class RungPieces(Frozen):
    """The pieces of all rungs of one frame rate."""

    rungs: tuple[str, ...]
    pieces: tuple[PieceRef, ...]


class PublishCutSpec(Frozen):
    """Join a cut asset.

    Attributes:
        kept: Base frames of the largest rung, half-open.
        grid: Of the cut asset.
    """

    cut_of: str = Field(pattern=r"^assets/[a-z0-9]+/[0-9a-f]+/$", max_length=256)
    kept: tuple[tuple[int, int], ...]
    grid: Grid
    duration_ticks: int = Field(gt=0)
    groups: tuple[RungPieces, ...]
