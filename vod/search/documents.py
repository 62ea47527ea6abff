"""What can be found, from rows to tokens. Pure. No I/O, no clock.

A ``Source`` is what the rows say; building the ``Document`` of one costs some milliseconds per
10 000 characters of captions, so that is done in a thread.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any, Final

from kernel.captions import Cue
from vod.accounts.roles import Visibility
from vod.material.timeline import Timeline
from vod.search.models import MAX_KEY_CHARS, MAX_SOUND_CHARS, SearchKind
from vod.search.query import parse_key
from vod.search.sounds import spell
from vod.search.speech import MAX_SPEECH_CHARS, Speech, SpokenText, read_speech
from vod.search.tokens import VERSION, build_sounds, build_speech_tokens, build_tokens

MAX_BODY_CHARS: Final = 20_000
# PostgreSQL holds at most 1 MiB of tokens per document; text that people write stays far below.
MAX_SPEECH_BYTES: Final = 500_000
MAX_FIELD_BYTES: Final = 100_000
MAX_BODY_BYTES: Final = 200_000


@dataclass(frozen=True, slots=True)
class SourceTrack:
    """A caption track as its row says, in uncut time."""

    track_id: str
    language: str
    version: int
    cues: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Source:
    """One thing that can be found, as its rows say.

    Attributes:
        title: What it is called.
        people: Names of who teaches it.
        labels: Series, tags, form: what it belongs to.
        body: Longer texts.
        timeline: Of what plays, for its captions.
    """

    kind: SearchKind
    object_id: str
    title: str
    sorted_at: datetime
    people: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    visibility: Visibility = Visibility.PUBLIC
    is_published: bool = True
    audience: dict[str, Any] | None = None
    timeline: Timeline | None = None
    tracks: tuple[SourceTrack, ...] = ()


@dataclass(frozen=True, slots=True)
class Track:
    """A caption track in the time of what plays."""

    track_id: str
    language: str
    version: int
    place: str
    speech: Speech


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the index holds of a document, by field."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    sounds: tuple[str, ...]
    body: tuple[str, ...]
    speech: tuple[str, ...] = ()

    def keep(self) -> list[list[str]]:
        """All but what is said, which ``SearchSpeech`` keeps."""
        return [list(field) for field in (self.names, self.labels, self.sounds, self.body)]


@dataclass(frozen=True, slots=True)
class Document:
    """What is written for a source; ``marker`` is equal when all that was read is."""

    source: Source
    marker: str
    title_key: str
    sound: str
    tokens: Tokens
    tracks: tuple[Track, ...]


def build_document(source: Source) -> Document:
    """Build everything that is written for one source."""
    tracks = tuple(_read_tracks(source))
    names = [source.title, *source.people]
    return Document(
        source=source,
        marker=compute_marker(source),
        title_key=parse_key(source.title)[:MAX_KEY_CHARS],
        sound=spell(source.title)[:MAX_SOUND_CHARS],
        tokens=Tokens(
            names=_limit(build_tokens([source.title]), MAX_FIELD_BYTES),
            labels=_limit(build_tokens([*source.people, *source.labels]), MAX_FIELD_BYTES),
            sounds=_limit(build_sounds([*names, *source.labels]), MAX_FIELD_BYTES),
            body=_limit(
                build_tokens(text[:MAX_BODY_CHARS] for text in source.body), MAX_BODY_BYTES
            ),
            speech=join_speech_tokens(track.speech.folded for track in tracks),
        ),
        tracks=tracks,
    )


def compute_marker(source: Source) -> str:
    """Digest of all that a document is made of."""
    text = json.dumps([VERSION, asdict(source)], default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def join_speech_tokens(tracks: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Tokens of what is said in all tracks; the same when unpacked as when packed."""
    found: set[str] = set()
    for folded in tracks:
        found.update(build_speech_tokens(SpokenText(folded).text))
    return _limit(tuple(sorted(found)), MAX_SPEECH_BYTES)


def _limit(tokens: tuple[str, ...], most_bytes: int) -> tuple[str, ...]:
    sizes = accumulate(len(token.encode()) for token in tokens)
    return tuple(token for token, size in zip(tokens, sizes, strict=True) if size <= most_bytes)


def _read_tracks(source: Source) -> Iterable[Track]:
    left_chars = MAX_SPEECH_CHARS
    if source.timeline is None:
        return
    for track in source.tracks:
        cues = [Cue(start_ms, end_ms, text) for start_ms, end_ms, text in track.cues]
        shown = source.timeline.map_cues(cues)  # What was cut out is not found.
        speech = read_speech(shown, most_chars=left_chars)
        left_chars -= speech.chars_count
        if speech.cues:
            yield Track(
                track.track_id, track.language, track.version, source.timeline.place, speech
            )
