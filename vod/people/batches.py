"""Match and write batches of a roster. Inside the caller's transaction; nothing is committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.ids import new_id
from vod.accounts.models import Account
from vod.accounts.names import NameKeys
from vod.accounts.rights import Action, may, may_change_member
from vod.accounts.roles import Role, Viewer
from vod.audit.models import AuditEntry
from vod.people.child import Item
from vod.people.lists import MemberList, load_entries
from vod.people.matching import Insert, Known, Matcher, Update, build_unit_index
from vod.people.queries import MEMBER_OPTIONS
from vod.people.roster import RosterRow, RowError
from vod.people.service import build_login, describe_target
from vod.units.models import OrgUnit
from vod.units.tree import build_full_names

ACCOUNTS = cast("Table", Account.__table__)
AUDIT = cast("Table", AuditEntry.__table__)


@dataclass(slots=True)
class Outcome:
    """What a batch means: accounts to insert and update, and what is wrong."""

    inserts: list[tuple[RosterRow, dict[str, Any]]] = field(default_factory=list)
    updates: list[tuple[RosterRow, str, dict[str, Any]]] = field(default_factory=list)
    unchanged_count: int = 0
    errors: list[RowError] = field(default_factory=list)

    def count(self) -> dict[str, int]:
        return {
            "inserted": len(self.inserts),
            "updated": len(self.updates),
            "unchanged": self.unchanged_count,
            "failed": len(self.errors),
        }


async def load_matcher(session: AsyncSession, viewer: Viewer) -> Matcher:
    """Load the units and lists that rows are matched against."""
    rows = (
        await session.execute(select(OrgUnit.id, OrgUnit.parent_id, OrgUnit.name, OrgUnit.path))
    ).all()
    names = build_full_names((row.id, row.parent_id, row.name) for row in rows)
    words = {
        which: {
            word: entry.key
            for entry in await load_entries(session, which)
            for word in (entry.key, entry.name)
        }
        for which in MemberList
    }
    return Matcher(
        units=build_unit_index(names.items()),
        reachable=frozenset(row.id for row in rows if may(viewer, Action.IMPORT_MEMBERS, row.path)),
        categories=words[MemberList.CATEGORIES],
        levels=words[MemberList.LEVELS],
    )


async def match_batch(
    session: AsyncSession, items: Sequence[Item], matcher: Matcher, viewer: Viewer
) -> Outcome:
    """Match a batch against the members there are: two queries."""
    outcome = Outcome()
    rows = [item for item in items if isinstance(item, RosterRow)]
    by_staff_no, by_phone = await _load_known(session, rows, viewer)
    for item in items:
        if isinstance(item, RowError):
            outcome.errors.append(item)
            continue
        found = matcher.match(item, by_staff_no, by_phone)
        if isinstance(found, RowError):
            outcome.errors.append(found)
        elif isinstance(found, Insert):
            outcome.inserts.append((item, found.values))
        elif isinstance(found, Update):
            outcome.updates.append((item, found.id, found.changes))
        else:
            outcome.unchanged_count += 1
    return outcome


async def _load_known(
    session: AsyncSession, rows: Sequence[RosterRow], viewer: Viewer
) -> tuple[dict[str, Known], dict[str, list[Known]]]:
    staff_nos = {row.staff_no for row in rows if row.staff_no}
    phones = {row.phone for row in rows if row.phone}
    accounts = await session.scalars(
        select(Account)
        .where(or_(Account.staff_no.in_(staff_nos), Account.phone.in_(phones)))
        .options(*MEMBER_OPTIONS)
    )
    by_staff_no: dict[str, Known] = {}
    by_phone: dict[str, list[Known]] = {}
    for account in accounts.unique():
        known = Known(
            id=account.id,
            display_name=account.display_name,
            staff_no=account.staff_no,
            phone=account.phone,
            unit_id=account.unit_id,
            category=account.category,
            level=account.level,
            is_changeable=may_change_member(viewer, describe_target(account)),
        )
        if known.staff_no:
            by_staff_no[known.staff_no] = known
        if known.phone:
            by_phone.setdefault(known.phone, []).append(known)
    session.expunge_all()  # What follows writes rows, not objects.
    return by_staff_no, by_phone


async def write_batch(
    session: AsyncSession,
    outcome: Outcome,
    *,
    import_id: str,
    actor_id: str,
    now: datetime,
) -> None:
    """Insert and update the rows of a batch, each with its trace in the audit log."""
    connection = await session.connection()
    accounts = await _build_accounts(session, outcome.inserts, now)
    if accounts:
        await connection.execute(insert(ACCOUNTS), accounts)
    for names, rows in _group_updates(outcome.updates).items():
        await connection.execute(
            update(ACCOUNTS)
            .where(ACCOUNTS.c.id == bindparam("b_id"))
            .values({name: bindparam(f"b_{name}") for name in names}),
            rows,
        )
    traces: list[tuple[str, str, list[str]]] = [
        *((account["id"], "member.imported", []) for account in accounts),
        *((key, "member.changed", sorted(changes)) for _, key, changes in outcome.updates),
    ]
    if traces:
        await connection.execute(
            insert(AUDIT),
            [
                {
                    "id": new_id(),
                    "at": now,
                    "actor_id": actor_id,
                    "action": action,
                    "object_type": "account",
                    "object_id": key,
                    "detail": {"import_id": import_id, "fields": fields},
                }
                for key, action, fields in traces
            ],
        )


async def _build_accounts(
    session: AsyncSession, inserts: Sequence[tuple[RosterRow, dict[str, Any]]], now: datetime
) -> list[dict[str, Any]]:
    """Build rows; all have the same keys, as one statement for all of them needs."""
    ids = [new_id() for _ in inserts]
    logins = [
        build_login(values.get("staff_no"), key)
        for key, (_, values) in zip(ids, inserts, strict=True)
    ]
    taken = set(await session.scalars(select(Account.login).where(Account.login.in_(logins))))
    built, used = [], set[str]()
    for key, login, (row, values) in zip(ids, logins, inserts, strict=True):
        is_free = login not in taken and login not in used
        used.add(login)
        built.append(
            {
                "id": key,
                "login": login if is_free else f"m{key}",
                "role": Role.MEMBER,
                "password_hash": "",
                "is_disabled": False,
                "must_change_password": True,
                "created_at": now,
                **dict.fromkeys(("staff_no", "phone", "category", "level")),
                **_spell(row.keys),
                **values,
            }
        )
    return built


def _group_updates(
    updates: Sequence[tuple[RosterRow, str, dict[str, Any]]],
) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """Group updates that change the same columns: one statement per group."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row, key, changes in updates:
        values = {**changes, **(_spell(row.keys) if "display_name" in changes else {})}
        names = tuple(sorted(values))
        groups.setdefault(names, []).append(
            {"b_id": key, **{f"b_{name}": value for name, value in values.items()}}
        )
    return groups


def _spell(keys: NameKeys) -> dict[str, str]:
    return {"pinyin": keys.pinyin, "pinyin_joined": keys.joined, "initials": keys.initials}
