"""Bodies of the API that are bytes instead of JSON, and the headers that go with them. Pure.

The typed views cannot say these: aiohttp-pydantic only knows JSON. One table, by method and path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from vod.posters.schemas import PosterChoice
from vod.uploads import tus

BYTES: Final[Mapping[str, Any]] = {"schema": {"type": "string", "format": "binary"}}


@dataclass(frozen=True, slots=True)
class RawBody:
    """What an operation takes beside its path and query.

    Attributes:
        media_types: Of the bytes; empty when there is no body.
        json_model: Of a JSON body that is taken instead of the bytes.
        is_required: An operation may begin with a body or without.
        headers: Name -> what it says; required ones end with an asterisk.
        answers: Status -> why, beyond those of every operation.
        answer_headers: Name -> what it says, on the answers that are not errors.
    """

    media_types: tuple[str, ...] = ()
    json_model: type[BaseModel] | None = None
    is_required: bool = True
    headers: Mapping[str, str] | None = None
    answers: Mapping[int, str] | None = None
    answer_headers: Mapping[str, str] | None = None


_VERSION: Final = {f"{tus.RESUMABLE}*": f"{tus.VERSION}: the version of tus."}
_METADATA: Final = (
    "Pairs of a key and base64: filename, filetype, title, series_id, visibility, lecture_id, "
    "allow_duplicate, digest."
)
_CHECKSUM: Final = {tus.CHECKSUM: "sha1 or sha256, a space, and base64 of the body's digest."}
_OTHER_VERSION: Final = {412: "Another version of tus"}
_NO_ROOM: Final = {413: "Too large, or over the quota", 507: "The storage is full"}
_SENDING: Final = {
    **_OTHER_VERSION,
    **_NO_ROOM,
    400: "A header is missing or not understood",
    409: "Another offset is next",
    410: "It has expired, or was a duplicate",
    415: f"The body must be {tus.BODY_TYPE}",
    423: "Another connection sends to it",
    460: "The checksum does not fit; nothing of the body was kept",
}
_OFFSET: Final = {tus.OFFSET: "Where the next byte goes.", tus.EXPIRES: "When it is dropped."}
_UPLOAD: Final = "/api/v1/uploads/{upload_id}"
_LECTURE: Final = "/api/v1/lectures/{lecture_id}"

RAW_BODIES: Final[Mapping[tuple[str, str], RawBody]] = {
    ("post", f"{_LECTURE}/captions"): RawBody(
        ("application/octet-stream", "application/x-subrip", "text/vtt", "text/x-ssa"),
        answers={
            409: "The lecture has too many tracks already",
            413: "Larger than 5 MB",
            415: "No subtitle file",
        },
    ),
    ("post", "/api/v1/course-list"): RawBody(
        ("application/octet-stream",), answers={413: "More than 8 MB"}
    ),
    ("put", f"{_LECTURE}/poster"): RawBody(
        ("image/jpeg", "image/png"),
        json_model=PosterChoice,
        answers={
            400: "The JSON cannot be read",
            413: "More than 10 MB or 40 megapixels",
            415: "Neither JSON nor JPEG nor PNG",
            422: "The picture is broken or too small",
        },
    ),
    ("post", "/api/v1/uploads"): RawBody(
        (tus.BODY_TYPE,),
        is_required=False,
        headers={
            **_VERSION,
            f"{tus.LENGTH}*": "Bytes of the whole file.",
            f"{tus.METADATA}*": _METADATA,
            **_CHECKSUM,
        },
        answers={**_SENDING, 409: "The lecture's file cannot be replaced now"},
        answer_headers={"Location": "Where its bytes go.", **_OFFSET},
    ),
    ("patch", _UPLOAD): RawBody(
        (tus.BODY_TYPE,),
        headers={**_VERSION, f"{tus.OFFSET}*": "Where the body begins in the file.", **_CHECKSUM},
        answers=_SENDING,
        answer_headers=_OFFSET,
    ),
    ("head", _UPLOAD): RawBody(
        headers=_VERSION,
        answers={**_OTHER_VERSION, 410: "It has expired, or was a duplicate"},
        answer_headers={**_OFFSET, tus.LENGTH: "Bytes of the whole file.", tus.METADATA: _METADATA},
    ),
    ("delete", _UPLOAD): RawBody(
        headers=_VERSION, answers={**_OTHER_VERSION, 409: "A lecture is made of it"}
    ),
    ("post", _UPLOAD): RawBody(
        (tus.BODY_TYPE,),
        is_required=False,
        headers={f"{tus.METHOD_OVERRIDE}*": "PATCH or DELETE, with the headers of that."},
        answers={**_SENDING, 405: "There is no such header"},
        answer_headers=_OFFSET,
    ),
}


JSON_MODELS: Final = tuple(raw.json_model for raw in RAW_BODIES.values() if raw.json_model)


def add_raw_body(operation: dict[str, Any], raw: RawBody, *, ref: str) -> dict[int, str]:
    """Write ``raw`` into an operation; return the errors that the caller is to describe.

    Args:
        ref: Template of a reference to a schema, with ``{model}``.
    """
    if raw.media_types:
        content: dict[str, Any] = {kind: dict(BYTES) for kind in raw.media_types}
        if raw.json_model is not None:
            schema = {"$ref": ref.format(model=raw.json_model.__name__)}
            content = {"application/json": {"schema": schema}, **content}
        operation["requestBody"] = {"required": raw.is_required, "content": content}
    parameters = operation.setdefault("parameters", [])
    for name, text in (raw.headers or {}).items():
        parameters.append(
            {
                "in": "header",
                "name": name.removesuffix("*"),
                "required": name.endswith("*"),
                "description": text,
                "schema": {"type": "string"},
            }
        )
    if not parameters:
        del operation["parameters"]
    for status, response in operation["responses"].items():
        if raw.answer_headers and status.startswith("2"):
            response["headers"] = {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in raw.answer_headers.items()
            }
    return dict(raw.answers or {})
