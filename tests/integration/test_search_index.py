"""The index: the same answers in the same order on both databases, current, one at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from kernel.clock import FakeClock
from kernel.ids import new_id
from tests.support.vod import database_url, databases
from vod.accounts.roles import MemberFacts, Role, Viewer, Visibility
from vod.captions.models import CaptionOrigin, CaptionTrack
from vod.classes.models import LiveClass
from vod.db.engine import Database, open_database
from vod.lectures.models import Lecture, LectureState
from vod.lectures.publication import Publication
from vod.library.forms.models import LectureTag
from vod.library.models import Instructor, LectureInstructor
from vod.search.finding import build_may_see, find_documents
from vod.search.indexer import Indexer, request_rebuild
from vod.search.lease import LEASE, Lease, LeaseLostError
from vod.search.models import SearchChange, SearchDocument, SearchKind, SearchSpeech
from vod.search.opening import open_search_index
from vod.search.port import Matches, Wanted
from vod.search.query import parse_query, relax
from vod.series.models import Series, SeriesLecture

__all__ = ["database_url", "databases"]  # Fixtures.

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
EDITOR = Viewer(account_id="e" * 20, role=Role.EDITOR)
MEMBER = Viewer(account_id="m" * 20, role=Role.MEMBER)
NOBODY = Viewer()
FLAG = "草原上的党旗"


class Library:
    """A database with an index, and rows put straight into it."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock = database, FakeClock()
        self.index = open_search_index(database)
        self.indexer = Indexer(database, self.index, self.clock)
        self.ids: dict[str, str] = {}
        self._made = 0

    async def add(self, name: str, model: type[Any], /, **values: Any) -> str:
        self._made += 1
        made_at = START + timedelta(minutes=self._made)
        row = model(id=new_id(), created_at=made_at, **values)
        async with self.database.write() as session:
            session.add(row)
        self.ids[row.id] = name
        return str(row.id)

    async def lecture(self, name: str, title: str, **values: Any) -> str:
        said = values.pop("said", ())
        values = {"visibility": Visibility.PUBLIC, "state": LectureState.PLAYABLE} | values
        lecture_id = await self.add(name, Lecture, title=title, duration_ticks=0, **values)
        if said:
            await self.say(lecture_id, *said)
        return lecture_id

    async def say(self, lecture_id: str, *said: str) -> None:
        cues = [[at * 2000, at * 2000 + 2000, line] for at, line in enumerate(said)]
        track = CaptionTrack(
            lecture_id=lecture_id, language="zh-CN", label="中文", cues=cues,
            origin=CaptionOrigin.UPLOADED, cues_count=len(cues),
            created_at=START, changed_at=START,
        )  # fmt: skip
        async with self.database.write() as session:
            session.add(track)

    async def run(self, *statements: Any) -> None:
        async with self.database.write() as session:
            for statement in statements:
                await session.execute(statement)

    async def find(
        self, words: str, *, viewer: Viewer = MEMBER, loosely: bool = False, **wanted: Any
    ) -> Matches:
        query = relax(words) if loosely else parse_query(words)
        async with self.database.read() as session:
            may_see = build_may_see(viewer)
            return await find_documents(session, self.index, query, Wanted(may_see, **wanted))

    async def names(self, words: str, **options: Any) -> list[str]:
        return [self.ids[one.object_id] for one in (await self.find(words, **options)).found]

    async def count(self, words: str, **options: Any) -> dict[SearchKind, int]:
        return dict((await self.find(words, **options)).counts)

    async def update(self, lecture_id: str, **values: Any) -> None:
        await self.run(update(Lecture).where(Lecture.id == lecture_id).values(**values))
        await self.indexer.catch_up()


@pytest.fixture
async def library(database_url: str) -> AsyncIterator[Library]:
    async with open_database(database_url) as database:
        yield Library(database)


async def fill(library: Library) -> None:
    series = await library.add("series", Series, title="党史学习教育")
    await library.lecture("title", FLAG)
    await library.lecture("longer", f"{FLAG}：第二讲", description="牧民夜校")
    within = await library.lecture("within", "走进乌审旗")
    await library.lecture("body", "流动课堂", description=f"讲述{FLAG}的故事")
    await library.lecture(
        "said", "支部书记访谈", said=("大家好", "今天说一说草原上的", "党旗，还有马背宣讲队")
    )
    await library.lecture("members", f"{FLAG} 内部版", visibility=Visibility.MEMBERS)
    await library.lecture("draft", f"{FLAG} 草稿", publication=Publication.DRAFT)
    await library.lecture(
        "group", f"{FLAG} 退休", audience={"categories": ["retired"]}, description="夜校"
    )
    await library.add(
        "class", LiveClass, title="直播：草原夜校", visibility=Visibility.PUBLIC, series_id=series
    )
    await library.run(
        SeriesLecture.__table__.insert().values(series_id=series, lecture_id=within, position=0)
    )
    await library.lecture("english", "Party Lecture 7", said=("Communist history", "in the grass"))
    await library.lecture("trap", "党的旗帜", said=("草原的风，上的学，党员", "原上草，旗手"))
    assert await library.indexer.catch_up() > 0


# What somebody types -> what is found, best first; the same on both databases.
SHARED = {
    FLAG: ["title", "longer", "body", "said"],
    "草原上的黨旗": ["title", "longer", "body", "said"],
    f"《{FLAG}》": ["title", "longer", "body", "said"],
    "caoyuanshang": ["longer", "title"],
    "cysddq": ["longer", "title"],
    "cao yuan": ["class", "longer", "title"],
    "草原 党旗": ["longer", "title", "body", "said"],
    "旗": ["trap", "within", "longer", "title", "body"],
    "党史学习": ["series", "class", "within"],
    "夜校": ["class", "longer"],
    "夜校 牧民": ["longer"],
    "马背宣讲队": ["said"],
    "上的党旗还有": ["said"],
    "ＰＡＲＴＹ": ["english"],
    "lect": ["english"],
    "7": ["english"],
    "communist grass": ["english"],
    "宇宙飞船": [],
}


async def test_the_shared_queries_find_the_same_in_the_same_order(library: Library) -> None:
    await fill(library)
    assert {words: await library.names(words, viewer=NOBODY) for words in SHARED} == SHARED
    assert await library.names("草原党旗", viewer=NOBODY) == []
    loose = await library.names("草原党旗", viewer=NOBODY, loosely=True)
    assert loose == ["longer", "title", "body", "said"]
    counts = await library.count("草原", viewer=NOBODY)
    assert counts == {SearchKind.LECTURE: 5, SearchKind.LIVE_CLASS: 1}
    # Pages are pieces of one order.
    whole = await library.names("旗", viewer=NOBODY)
    pieces = [await library.names("旗", viewer=NOBODY, first=at, count=2) for at in (0, 2, 4)]
    assert [name for piece in pieces for name in piece] == whole
    beyond = await library.find("旗", viewer=NOBODY, first=99)
    assert (beyond.found, beyond.counts) == ([], {SearchKind.LECTURE: 5})
    assert await library.names("夜校", viewer=NOBODY, kind=SearchKind.LECTURE) == ["longer"]


async def test_everybody_finds_what_they_may_see(library: Library) -> None:
    await fill(library)
    retired = Viewer("r" * 20, Role.MEMBER, member=MemberFacts(category="retired"))
    young = Viewer("y" * 20, Role.MEMBER, member=MemberFacts(category="student"))
    base = {"title", "longer", "body", "said"}
    for viewer, more in (
        (NOBODY, set()),
        (MEMBER, {"members"}),
        (young, {"members"}),
        (retired, {"members", "group"}),
        (EDITOR, {"members", "group", "draft"}),
    ):
        assert set(await library.names(FLAG, viewer=viewer)) == base | more
        assert (await library.count(FLAG, viewer=viewer))[SearchKind.LECTURE] == len(base | more)


async def test_whatever_changes_is_found_anew(library: Library) -> None:
    await fill(library)
    said = next(key for key, name in library.ids.items() if name == "said")
    series = next(key for key, name in library.ids.items() if name == "series")
    await library.update(said, title="奶茶与宣讲")
    assert await library.names("奶茶") == ["said"]
    assert await library.names("支部书记") == []
    assert await library.names("马背宣讲队") == ["said"]  # What is said stayed.
    await library.run(
        update(CaptionTrack).values(cues=[[0, 900, "换了一句话"]], version=CaptionTrack.version + 1)
    )
    await library.indexer.catch_up()
    assert await library.names("马背宣讲队") == []
    assert set(await library.names("换了一句话")) == {"said", "english", "trap"}
    await library.run(update(Series).where(Series.id == series).values(title="主题教育"))
    await library.indexer.catch_up()
    assert await library.names("主题教育") == ["series", "class", "within"]
    assert await library.names("党史学习") == []
    await library.run(LectureTag.__table__.insert().values(lecture_id=said, name="乌兰牧骑"))
    await library.indexer.catch_up()
    assert await library.names("乌兰牧骑") == ["said"]
    await library.update(said, deleted_at=START)
    assert await library.names("奶茶") == []
    await library.run(delete(Series).where(Series.id == series))
    await library.indexer.catch_up()
    assert await library.names("主题教育") == []
    assert await library.indexer.is_settled()


async def test_teachers_are_found_by_name_and_sound_and_so_are_their_lectures(
    library: Library,
) -> None:
    teacher = await library.add("teacher", Instructor, name="单巴图", topics=["草原文化"])
    hidden = await library.add("hidden", Instructor, name="单于", is_published=False)
    lecture_id = await library.lecture("lecture", "马头琴的故事")
    for position, instructor_id in enumerate((teacher, hidden)):
        values = {"lecture_id": lecture_id, "instructor_id": instructor_id, "position": position}
        await library.run(LectureInstructor.__table__.insert().values(**values))
    await library.indexer.catch_up()
    for words in ("单巴图", "單巴圖", "shanbatu", "danbatu", "sbt"):
        assert await library.names(words, viewer=NOBODY) == ["teacher", "lecture"], words
    assert await library.names("草原文化", viewer=NOBODY) == ["teacher"]
    assert await library.names("单于", viewer=NOBODY) == []
    assert await library.names("单于", viewer=EDITOR) == ["hidden"]
    await library.run(update(Instructor).where(Instructor.id == teacher).values(name="乌恩"))
    await library.indexer.catch_up()
    assert await library.names("wuen", viewer=NOBODY) == ["teacher", "lecture"]
    assert await library.names("单巴图", viewer=NOBODY) == []


async def test_an_index_changed_often_is_the_one_made_anew(library: Library) -> None:
    await fill(library)
    for round_number in range(3):
        for key, name in library.ids.items():
            changed = {"title": f"{name} 第{round_number}讲 草原上的党旗"}
            await library.run(update(Lecture).where(Lecture.id == key).values(**changed))
        await library.run(update(Lecture).values(description=f"修订 {round_number} 次"))
        await library.indexer.catch_up()
    words = ("草原上的党旗", "第1讲", "第2讲", "修订 2", "马背宣讲队", "caoyuan", "communist")
    before = {text: await library.names(text) for text in words}
    async with library.database.write() as session:
        await request_rebuild(session)
    await library.indexer.catch_up()
    assert {text: await library.names(text) for text in words} == before
    assert (before["第1讲"], before["马背宣讲队"]) == ([], ["said"])
    assert len(before["第2讲"]) == 8


async def test_an_unchanged_row_is_not_written_again(library: Library) -> None:
    lecture_id = await library.lecture("one", FLAG, said=("大家好",))
    await library.indexer.catch_up()
    packed = select(SearchSpeech.folded, SearchDocument.marker).join(
        SearchDocument, SearchDocument.number == SearchSpeech.number
    )
    async with library.database.read() as session:
        before = (await session.execute(packed)).all()
    # Would be written back if the row were written at all.
    await library.run(update(SearchDocument).values(sound="kept"))
    await library.update(lecture_id, title=FLAG)
    async with library.database.read() as session:
        assert (await session.execute(packed)).all() == before
        assert await session.scalar(select(SearchDocument.sound)) == "kept"
        assert await session.scalar(select(SearchChange.id)) is None


async def test_one_indexer_works_at_a_time(library: Library) -> None:
    await library.lecture("one", FLAG)
    other = Lease(library.clock)
    async with library.database.write() as session:
        assert await other.take(session)
    assert await library.indexer.catch_up() == 0
    library.clock.advance(LEASE.total_seconds() + 1)  # It died.
    assert await library.indexer.catch_up() == 1
    assert await library.names(FLAG) == ["one"]
    mine = Lease(library.clock)
    async with library.database.write() as session:
        assert await mine.take(session)
    with pytest.raises(LeaseLostError):
        async with library.database.write() as session:
            await other.hold(session)


async def test_long_speech_and_strange_texts_are_taken(library: Library) -> None:
    every = "".join(map(chr, range(0x4E00, 0x9FFF)))
    await library.lecture("long", "长", description=every[:20_000], said=[every] * 6)
    await library.lecture("strange", "''\\&|!:*()<-> \u200b𠮷野家 🎉 {names} : x")
    await library.indexer.catch_up()
    assert await library.names("𠮷野家") == ["strange"]
    assert await library.names("names x") == ["strange"]
    assert await library.names(every[100:112]) == ["long"]


async def test_the_triggers_are_there(library: Library) -> None:
    """A migration that copies a table on SQLite loses them: it has to make them again."""
    wanted = {"lectures", "caption_tracks", "series", "series_lectures", "lecture_tags"}
    wanted |= {"lecture_forms", "lecture_instructors", "instructors", "live_classes", "accounts"}
    names = (
        "SELECT tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'search_%'"
        if library.database.is_sqlite
        else "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE 'search_%'"
    )
    async with library.database.read() as session:
        assert wanted <= set(await session.scalars(text(names)))
