"""Every model, imported once, so that ``Base.metadata`` is complete for migrations and tests."""

from __future__ import annotations

from vod.accounts.models import Account, AccountSession, LoginThrottle
from vod.assets.models import Asset
from vod.audit.models import AuditEntry
from vod.captions.models import CaptionTrack
from vod.classes.models import LiveClass
from vod.db.base import Base
from vod.editing.models import Edit
from vod.events.models import InboxEvent
from vod.jobs.models import Job, OutboxMessage, RenditionRow, Unit, UnitAttempt, WorkerRow
from vod.lectures.models import Lecture
from vod.material.models import Material
from vod.posters.models import OwnPoster
from vod.recordings.models import Recording
from vod.search.models import SearchChange, SearchDocument, SearchSpeech, SearchState
from vod.series.models import Series
from vod.storage.models import OrphanListing
from vod.uploads.models import Upload, UploadPart

__all__ = [
    "Account",
    "AccountSession",
    "Asset",
    "AuditEntry",
    "Base",
    "CaptionTrack",
    "Edit",
    "InboxEvent",
    "Job",
    "Lecture",
    "LiveClass",
    "LoginThrottle",
    "Material",
    "OrphanListing",
    "OutboxMessage",
    "OwnPoster",
    "Recording",
    "RenditionRow",
    "SearchChange",
    "SearchDocument",
    "SearchSpeech",
    "SearchState",
    "Series",
    "Unit",
    "UnitAttempt",
    "Upload",
    "UploadPart",
    "WorkerRow",
]
