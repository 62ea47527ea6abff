"""How long searching takes with a whole library: both databases, p50 and p95, and the index's size.

``SEARCH_LECTURES`` lectures (20 000 unless it says otherwise), each with captions of a lesson of
20 minutes, made of the words that such lessons are made of: common words are in most of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert, text

from kernel.clock import SystemClock
from kernel.ids import new_id
from tests.bench.report import Report
from tests.support.vod import run_postgres
from vod.accounts.roles import MemberFacts, Role, Viewer, Visibility
from vod.captions.models import CaptionOrigin, CaptionTrack
from vod.db.engine import Database, migrate, open_database
from vod.http.pagination import PageQuery
from vod.lectures.models import Lecture, LectureState
from vod.search.hits import Asking
from vod.search.indexer import Indexer
from vod.search.opening import open_search_index
from vod.search.query import parse_query
from vod.search.service import search
from vod.search.suggesting import suggest
from vod.series.models import Series, SeriesLecture

LECTURES_COUNT: Final = int(os.environ.get("SEARCH_LECTURES", "20000"))
SERIES_COUNT: Final = 400
CUES_COUNT: Final = 300  # Of four seconds each.
ROWS_AT_ONCE: Final = 200
GOAL_MS: Final = 100.0
ROUNDS: Final = 3
START: Final = datetime(2024, 1, 1, tzinfo=UTC)
MEMBER: Final = Viewer("m" * 20, Role.MEMBER, member=MemberFacts(category="herder"))

COMMON: Final = (
    "党员学习教育支部书记草原牧民党课主题工作群众服务建设发展精神历史组织干部基层乡村振兴讲堂我们"
    "同志今天大家这个就是一个可以因为所以问题方法经验故事红色传承使命初心"
)
SYLLABLES: Final = (
    "山水田林湖沙风雪云月春秋天地人民国家东西南北中前后左右上下大小多少高低远近新旧长短"
    "金木火土石玉花果树叶根苗羊马牛驼鹰雁车路桥站城镇村户门窗灯书笔纸墨歌舞琴鼓旗帜星光"
)
NAMES: Final = (
    "巴特尔",
    "乌云其其格",
    "王建国",
    "李秀英",
    "曾庆红梅",
    "单田",
    "阿拉腾·乌拉",
    "那日松",
)
# What members type: words that are everywhere, phrases, names, sounds, several words, mistakes.
QUERIES: Final = (
    *(
        "学习",
        "党员",
        "党史学习教育",
        "草原",
        "草原 牧民",
        "乡村振兴",
        "主题党日",
        "支部书记",
        "初心使命",
    ),
    *("的", "旗", "山", "王建国", "wangjianguo", "wjg", "caoyuan", "cy", "阿拉腾乌拉", "黨員 教育"),
    *(
        "第12讲",
        "red",
        "草原牧民故事",
        "学习党员教育支部书记",
        "巴特儿",
        "不会有的词语",
        "红色传承 2024",
    ),
)


class Words:
    """Sentences with a few words that are everywhere and many that are rare."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.common = [COMMON[at : at + 2] for at in range(0, len(COMMON), 2)]
        self.rare = ["".join(self.random.choices(SYLLABLES, k=2)) for _ in range(6000)]

    def line(self) -> str:
        picks = self.random.choices((self.common, self.rare), weights=(3, 2), k=5)
        return "".join(self.random.choice(words) for words in picks)

    def title(self, number: int) -> str:
        kind = self.random.choice(
            ("党史学习教育", "草原上的党旗", "乡村振兴", "党课开讲", "红色传承")
        )
        rare = self.random.choice(self.rare)
        return f"{kind}：{rare}{self.random.choice(self.common)} 第{number % 40 + 1}讲"


def build_lectures(words: Words, first: int, count: int) -> Iterator[tuple[Any, Any]]:
    for number in range(first, first + count):
        lecture_id, at = new_id(), START + timedelta(minutes=20 * number)
        lecture = {
            "id": lecture_id,
            "title": words.title(number),
            "description": f"{words.random.choice(NAMES)} 主讲。" + words.line() * 3,
            "visibility": Visibility.PUBLIC if number % 3 else Visibility.MEMBERS,
            "state": LectureState.PLAYABLE,
            "audience": {"categories": ["herder" if number % 2 else "retired"]}
            if number % 10 == 0
            else None,
            "recorded_at": at,
            "created_at": at,
        }
        cues = [[at_s * 4000, at_s * 4000 + 4000, words.line()] for at_s in range(CUES_COUNT)]
        track = {
            "id": new_id(),
            "lecture_id": lecture_id,
            "language": "zh-CN",
            "label": "中文",
            "origin": CaptionOrigin.AUTOMATIC,
            "cues": cues,
            "cues_count": CUES_COUNT,
            "created_at": at,
            "changed_at": at,
        }
        yield lecture, track


async def fill(database: Database) -> None:
    """Make the library; notes of the triggers are kept for the indexer."""
    words = Words(7)
    series = [
        {"id": new_id(), "title": f"专题{number}：{words.title(number)}", "created_at": START}
        for number in range(SERIES_COUNT)
    ]
    async with database.write() as session:
        await session.execute(insert(Series), series)
    for first in range(0, LECTURES_COUNT, ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, LECTURES_COUNT - first)
        rows = list(build_lectures(words, first, count))
        places = [
            {
                "series_id": series[(first + at) % SERIES_COUNT]["id"],
                "lecture_id": lecture["id"],
                "position": (first + at) // SERIES_COUNT,
            }
            for at, (lecture, _) in enumerate(rows)
        ]
        async with database.write() as session:
            await session.execute(insert(Lecture), [lecture for lecture, _ in rows])
            await session.execute(insert(CaptionTrack), [track for _, track in rows])
            await session.execute(insert(SeriesLecture), places)


async def measure(database: Database, words: str, *, suggests: bool) -> float:
    """Milliseconds of one request's work, without HTTP."""
    index = open_search_index(database)
    asking = Asking(parse_query(words), MEMBER, "https://hall.example")
    started = time.perf_counter()
    async with database.read() as session:
        if suggests:
            await suggest(session, index, words, MEMBER)
        else:
            await search(session, index, words, kind=None, page=PageQuery(), asking=asking)
    return (time.perf_counter() - started) * 1000


async def look(report: Report, database: Database, kind: str) -> None:
    for suggests, name in ((False, "search"), (True, "suggest")):
        times: dict[str, list[float]] = {words: [] for words in QUERIES}
        for _ in range(ROUNDS):
            for words in QUERIES:
                times[words].append(await measure(database, words, suggests=suggests))
        listed = sorted(time_ms for measured in times.values() for time_ms in measured)
        slowest = sorted(((min(measured), words) for words, measured in times.items()))[-3:]
        for share, label in ((0.5, "p50"), (0.95, "p95")):
            report.figure(
                f"{name}_{label}_{kind}",
                listed[int(len(listed) * share)],
                unit="ms",
                compares=f"{LECTURES_COUNT} lectures with captions, {len(QUERIES)} queries",
                goal=GOAL_MS,
                slowest=[f"{words} {time_ms:.0f}" for time_ms, words in reversed(slowest)],
            )


async def report_size(report: Report, database: Database, kind: str) -> None:
    sql = (
        "SELECT name, sum(pgsize) FROM dbstat WHERE name LIKE 'search_%' GROUP BY name"
        if database.is_sqlite
        else "SELECT relname, pg_total_relation_size(oid) FROM pg_class "
        "WHERE relkind = 'r' AND relname LIKE 'search_%'"
    )
    async with database.read() as session:
        sizes = [(name, int(size)) for name, size in (await session.execute(text(sql))).tuples()]
    tokens = sum(size for name, size in sizes if name.startswith("search_tokens"))
    rest = sum(size for name, size in sizes if not name.startswith("search_tokens"))
    for name, size in (("tokens", tokens), ("speech", rest)):
        report.figure(
            f"search_size_{name}_{kind}",
            size / 1e6,
            unit="MB",
            compares=f"{LECTURES_COUNT} lectures with {CUES_COUNT} cues each",
        )


async def run_on(report: Report, url: str, kind: str) -> None:
    await asyncio.to_thread(migrate, url)
    async with open_database(url) as database:
        await fill(database)
        indexer = Indexer(database, open_search_index(database), SystemClock())
        started = time.perf_counter()
        await indexer.catch_up()
        took_s = time.perf_counter() - started
        assert await indexer.is_settled()
        report.figure(
            f"search_indexing_{kind}",
            took_s / LECTURES_COUNT * 1000,
            unit="ms",
            compares="per lecture, everything made anew",
        )
        await tidy(database)
        await report_size(report, database, kind)
        await look(report, database, kind)


async def tidy(database: Database) -> None:
    """What both databases do by themselves after a while."""
    async with database.engine.connect() as connection:
        plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await plain.execute(text("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE"))


async def run(report: Report, folder: Path) -> None:
    await run_on(report, f"sqlite+aiosqlite:///{folder / 'hall.db'}", "sqlite")
    with contextlib.ExitStack() as stack:
        # A thread of its own would not end with the bench; starting it takes a second.
        url = await asyncio.to_thread(stack.enter_context, run_postgres(folder / "pg"))
        await run_on(report, url, "postgresql")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory(prefix="hall-bench-") as name:
        asyncio.run(run(Report(), Path(name)))
    sys.exit(0)
