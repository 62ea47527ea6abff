"""Which pictures a lecture may show, and which one it shows. Pure. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vod.assets.models import Asset
from vod.material.models import Material
from vod.material.timeline import find_folder

OWN = "own-"  # Before the name of an uploaded picture, so that no candidate can have it.


@dataclass(frozen=True, slots=True)
class PosterOption:
    """A picture to choose; ``path`` leads to it from ``/media/{lecture}/``."""

    name: str
    path: str


def list_options(asset: Asset | None, own_names: Iterable[str]) -> tuple[PosterOption, ...]:
    """List the pictures: the asset's candidates, best first, then the uploaded ones."""
    options = []
    if asset is not None:
        folder = find_folder(asset)
        names = [str(name) for name in asset.report.get("files", {}).get("poster_candidates", ())]
        if asset.poster is not None and not names:
            names = [asset.poster]
        options = [PosterOption(name, folder + name) for name in names]
    options += [PosterOption(OWN + name, f"posters/{name}") for name in own_names]
    return tuple(options)


def choose_poster(
    asset: Asset | None, material: Material | None, options: Iterable[PosterOption]
) -> str | None:
    """Path of the picture that is shown: the chosen one while it is there, else the asset's.

    Candidates are named by their moment in the lecture, so a choice holds for every set that is
    made of the same source, and falls with the source.
    """
    if material is not None and material.poster_name is not None:
        is_own = material.poster_source_version is None
        is_same = asset is not None and asset.source_version == material.poster_source_version
        chosen = next((o.path for o in options if o.name == material.poster_name), None)
        if chosen is not None and (is_own or is_same):
            return chosen
    if asset is None or asset.poster is None:
        return None
    return find_folder(asset) + asset.poster
