"""Audience rules against the database: do their words exist, whom do they mean. Never commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.errors import InputError
from vod.accounts.models import Account
from vod.accounts.rights import ROOT_PATH
from vod.audience.rule import AudienceRule, build_condition
from vod.people.models import MemberCategory, MemberLevel
from vod.units.models import OrgUnit

EXAMPLES_COUNT: Final = 8


@dataclass(frozen=True, slots=True)
class Example:
    """One member whom a rule means; the name is masked."""

    id: str
    name: str
    unit_name: str | None
    category: str | None
    level: str | None


async def check_rule(session: AsyncSession, rule: AudienceRule, *, field: str = "audience") -> None:
    """Check that a rule names only what there is.

    Raises:
        InputError: 422 naming the list and what is not there.
    """
    await check_rules(session, [rule], field=field)


async def check_rules(
    session: AsyncSession, rules: Iterable[AudienceRule], *, field: str = "audience"
) -> None:
    """The same for many rules, in three queries at most.

    Raises:
        InputError: 422 naming the list and what is not there.
    """
    asked = tuple(rules)
    words: tuple[tuple[str, Any, str, set[str]], ...] = (
        ("units", OrgUnit.id, "组织", {key for rule in asked for key in rule.units}),
        ("categories", MemberCategory.key, "人员类别", {k for r in asked for k in r.categories}),
        ("levels", MemberLevel.key, "层级", {key for rule in asked for key in rule.levels}),
    )
    for name, column, word, keys in words:
        if keys:
            missing = keys - set(await session.scalars(select(column).where(column.in_(keys))))
            if missing:
                raise InputError(
                    f"{field}.{name}: there is no {min(missing)!r}",
                    field=f"{field}.{name}",
                    status=422,
                    title_zh=f"适用范围里有不存在的{word},请重新选择",
                )


async def preview(
    session: AsyncSession, rule: AudienceRule, reach: Sequence[str]
) -> tuple[int, list[Example]]:
    """Count the members whom a rule means, with a few of them.

    Args:
        reach: Paths at and below which members are counted; ``("/",)`` is the whole city.
    """
    meant = _select_meant(rule, reach)
    count = await session.scalar(meant.with_only_columns(func.count(Account.id)))
    rows = await session.execute(
        meant.with_only_columns(
            Account.id, Account.display_name, OrgUnit.name, Account.category, Account.level
        )
        .order_by(Account.id)
        .limit(EXAMPLES_COUNT)
    )
    examples = [
        Example(id_, mask_name(name), unit, category, level)
        for id_, name, unit, category, level in rows.tuples()
    ]
    return count or 0, examples


def _select_meant(rule: AudienceRule, reach: Sequence[str]) -> Select[Any]:
    """Whoever may sign in is a member."""
    columns = {
        "unit_path": OrgUnit.path, "category": Account.category, "level": Account.level
    }  # fmt: skip
    return (
        select(Account.id)
        .outerjoin(OrgUnit, OrgUnit.id == Account.unit_id)
        .where(Account.is_disabled.is_(False), build_condition(rule, **columns), build_reach(reach))
    )


def build_reach(reach: Sequence[str]) -> ColumnElement[bool]:
    """Build the condition that a unit lies at or below one of ``reach``."""
    if ROOT_PATH in reach:
        return true()
    # Paths hold identifiers and slashes only: nothing that LIKE reads as its own.
    return or_(OrgUnit.path.in_(()), *(OrgUnit.path.like(f"{path}%") for path in reach))


def mask_name(name: str) -> str:
    """Show of a name no more than is needed to tell examples apart."""
    return name[:1] + "*" * min(max(len(name) - 1, 1), 2)
