"""Every model, imported once, so that ``Base.metadata`` is complete for migrations and tests."""

from __future__ import annotations

from vod.accounts.models import Account, AccountSession, LoginThrottle, RoleScope
from vod.assets.models import Asset
from vod.audit.models import AuditEntry
from vod.captions.models import CaptionTrack
from vod.channels.models import Channel, ChannelRun, Programme
from vod.classes.models import LiveClass
from vod.clips.models import Clip
from vod.db.base import Base
from vod.editing.models import Edit
from vod.events.models import InboxEvent
from vod.identities.models import IdentityLink, UsedState
from vod.jobs.models import Job, OutboxMessage, RenditionRow, Unit, UnitAttempt, WorkerRow
from vod.lectures.models import Lecture
from vod.library.contests.models import Contest, ContestFilm, ContestJudge, ContestSheet
from vod.library.forms.models import LectureForm, LectureTag
from vod.library.models import (
    Instructor,
    LectureDocument,
    LectureFilm,
    LectureInstructor,
    ReviewEntry,
    ReviewPolicy,
    Venue,
)
from vod.material.models import Material
from vod.menus.models import Menu, MenuVersion, Recommendation
from vod.notices.models import Notice
from vod.notify.models import OutgoingMessage
from vod.orders.models import Order, OrderEvent
from vod.people.models import MemberCategory, MemberLevel, RosterImport
from vod.posters.models import OwnPoster
from vod.recordings.models import Recording
from vod.search.models import SearchChange, SearchDocument, SearchSpeech, SearchState
from vod.series.models import Series, SeriesLecture
from vod.storage.models import OrphanListing
from vod.units.models import OrgTree, OrgUnit
from vod.uploads.models import Upload, UploadPart
from vod.watching.models import Favourite, WatchRecord
from vod.webhooks.models import OutgoingEvent, Webhook, WebhookDelivery

__all__ = [
    "Account",
    "AccountSession",
    "Asset",
    "AuditEntry",
    "Base",
    "CaptionTrack",
    "Channel",
    "ChannelRun",
    "Clip",
    "Contest",
    "ContestFilm",
    "ContestJudge",
    "ContestSheet",
    "Edit",
    "Favourite",
    "IdentityLink",
    "InboxEvent",
    "Instructor",
    "Job",
    "Lecture",
    "LectureDocument",
    "LectureFilm",
    "LectureForm",
    "LectureInstructor",
    "LectureTag",
    "LiveClass",
    "LoginThrottle",
    "Material",
    "MemberCategory",
    "MemberLevel",
    "Menu",
    "MenuVersion",
    "Notice",
    "Order",
    "OrderEvent",
    "OrgTree",
    "OrgUnit",
    "OrphanListing",
    "OutboxMessage",
    "OutgoingEvent",
    "OutgoingMessage",
    "OwnPoster",
    "Programme",
    "Recommendation",
    "Recording",
    "RenditionRow",
    "ReviewEntry",
    "ReviewPolicy",
    "RoleScope",
    "RosterImport",
    "SearchChange",
    "SearchDocument",
    "SearchSpeech",
    "SearchState",
    "Series",
    "SeriesLecture",
    "Unit",
    "UnitAttempt",
    "Upload",
    "UploadPart",
    "UsedState",
    "Venue",
    "WatchRecord",
    "Webhook",
    "WebhookDelivery",
    "WorkerRow",
]
