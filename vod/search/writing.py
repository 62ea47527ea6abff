"""Write documents and take them out. They never commit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from vod.search.documents import (
    Document,
    Source,
    Tokens,
    build_document,
    compute_marker,
    join_speech_tokens,
)
from vod.search.models import SearchChange, SearchDocument, SearchKind, SearchSpeech
from vod.search.port import SearchIndex
from vod.search.speech import pack_cues, pack_folded, unpack_folded

ROWS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Known:
    """What the index has of a document already; ``kept`` and ``folded`` lead to its tokens."""

    number: int
    marker: str
    title_key: str
    kept: list[list[str]] | None
    folded: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What to do about one thing.

    Attributes:
        document: To write; ``None`` when it is gone.
        old_tokens: What the index holds of ``known``, if it must be told.
    """

    kind: SearchKind
    object_id: str
    known: Known | None
    document: Document | None
    old_tokens: Tokens | None

    @property
    def is_renamed(self) -> bool:
        """What names it must be made anew."""
        if self.known is None or self.document is None:
            return True
        return self.known.title_key != self.document.title_key


async def load_known(
    session: AsyncSession, kind: SearchKind, ids: Collection[str], *, with_tokens: bool
) -> dict[str, Known]:
    """Load what the index has of things by their identifiers, in two queries."""
    rows = await session.execute(
        select(
            SearchDocument.object_id,
            SearchDocument.number,
            SearchDocument.marker,
            SearchDocument.title_key,
            SearchDocument.tokens,
        ).where(SearchDocument.kind == kind, SearchDocument.object_id.in_(ids))
    )
    listed = list(rows.tuples())
    folded: defaultdict[int, list[bytes]] = defaultdict(list)
    if with_tokens:
        speech = await session.execute(
            select(SearchSpeech.number, SearchSpeech.folded)
            .where(SearchSpeech.number.in_([row[1] for row in listed]))
            .order_by(SearchSpeech.number, SearchSpeech.position)
        )
        for number, packed in speech.tuples():
            folded[number].append(packed)
    return {row[0]: Known(*row[1:], folded=tuple(folded[row[1]])) for row in listed}


def plan_change_blocking(
    kind: SearchKind, object_id: str, *, source: Source | None, known: Known | None
) -> Change | None:
    """Build what must be written; ``None`` when the index is right as it is."""
    if source is None and known is None:
        return None
    if source is not None and known is not None and compute_marker(source) == known.marker:
        return None
    document = build_document(source) if source is not None else None
    return Change(kind, object_id, known, document, _rebuild_tokens(known))


def _rebuild_tokens(known: Known | None) -> Tokens | None:
    if known is None or known.kept is None:
        return None
    names, labels, sounds, body = map(tuple, known.kept)
    speech = join_speech_tokens(unpack_folded(packed) for packed in known.folded)
    return Tokens(names, labels, sounds, body, speech)


async def write_change(session: AsyncSession, index: SearchIndex, change: Change) -> None:
    """Bring index and tables in line with one change."""
    known, document = change.known, change.document
    if known is not None:
        await index.remove(session, known.number, change.old_tokens)
        await session.execute(delete(SearchSpeech).where(SearchSpeech.number == known.number))
    if document is None:
        if known is not None:
            gone = SearchDocument.number == known.number
            await session.execute(delete(SearchDocument).where(gone))
        return
    keeps = index.keeps_tokens
    number = await _write_row(session, document, known, keeps_tokens=keeps)
    await index.add(session, number, document.tokens)
    if document.tracks:
        await session.execute(insert(SearchSpeech), _build_speech(number, document))


async def _write_row(
    session: AsyncSession, document: Document, known: Known | None, *, keeps_tokens: bool
) -> int:
    source = document.source
    values = {
        "title_key": document.title_key,
        "sound": document.sound,
        "sorted_at": source.sorted_at,
        "visibility": source.visibility,
        "is_published": source.is_published,
        "audience": source.audience,
        "tokens": document.tokens.keep() if keeps_tokens else None,
        "marker": document.marker,
    }
    if known is not None:
        is_it = SearchDocument.number == known.number
        await session.execute(update(SearchDocument).where(is_it).values(**values))
        return known.number
    row = SearchDocument(kind=source.kind, object_id=source.object_id, **values)
    session.add(row)
    await session.flush()
    return row.number


def _build_speech(number: int, document: Document) -> list[dict[str, object]]:
    return [
        {
            "number": number,
            "position": position,
            "track_id": track.track_id,
            "language": track.language,
            "version": track.version,
            "place": track.place,
            "folded": pack_folded(track.speech),
            "cues": pack_cues(track.speech),
        }
        for position, track in enumerate(document.tracks)
    ]


async def note(session: AsyncSession, kind: SearchKind, ids: Iterable[str]) -> None:
    """Have things read again, as the triggers do."""
    rows = [{"kind": kind.value, "object_id": object_id} for object_id in ids]
    for first in range(0, len(rows), ROWS_AT_ONCE):
        await session.execute(insert(SearchChange), rows[first : first + ROWS_AT_ONCE])
