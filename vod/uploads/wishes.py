"""What whoever sends a file wants made of it. Pure. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from kernel.errors import InputError
from vod.accounts.roles import Visibility
from vod.http.types import Identifier, Title
from vod.uploads.digest import DIGEST_PATTERN

MAX_FILENAME_CHARS: Final = 255
MAX_TITLE_CHARS: Final = 200
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]+")
_TRUE: Final = frozenset({"1", "true", "yes"})


class UploadWish(BaseModel):
    """The metadata of an upload, checked.

    Attributes:
        publication: Of the new lecture; a draft is seen by its sender and editors only.
        lecture_id: Replace the file of that lecture instead of making a new one.
        digest: What the whole file must come to (``vod.uploads.digest``), if the sender knows.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")  # Clients add keys of their own.

    filename: str
    title: Title
    series_id: Identifier | None = None
    visibility: Visibility = Visibility.MEMBERS
    publication: Literal["draft", "published"] = "published"
    lecture_id: Identifier | None = None
    digest: Annotated[str, StringConstraints(pattern=DIGEST_PATTERN)] | None = None
    allow_duplicate: bool = False


def read_wish(metadata: Mapping[str, str]) -> UploadWish:
    """Check the metadata; the title is the file's name unless it is given.

    Raises:
        InputError: 400; names the key.
    """
    filename = clean_filename(metadata.get("filename") or metadata.get("name") or "")
    if not filename:
        raise InputError("Upload-Metadata: filename is needed", field="filename")
    values: dict[str, Any] = {key: value for key, value in metadata.items() if value}
    values["filename"] = filename
    values["title"] = values.get("title") or build_title(filename)
    values["allow_duplicate"] = metadata.get("allow_duplicate", "").lower() in _TRUE
    try:
        return UploadWish.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(f"Upload-Metadata: {field}: {first['msg']}", field=field) from error


def clean_filename(name: str) -> str:
    """Keep the last part of a path, without control characters; it is for people only."""
    last = re.split(r"[/\\]", name)[-1]
    return _CONTROLS.sub(" ", last).strip()[-MAX_FILENAME_CHARS:]


def build_title(filename: str) -> str:
    """Make a title of a file's name: without the suffix, underscores as spaces."""
    stem, dot, suffix = filename.rpartition(".")
    is_suffix = bool(dot and stem.strip(". ") and re.fullmatch(r"\w{1,5}", suffix))
    name = stem if is_suffix else filename
    return re.sub(r"[\s_]+", " ", name).strip()[:MAX_TITLE_CHARS] or filename[:MAX_TITLE_CHARS]
