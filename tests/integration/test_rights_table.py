"""Who may do what: every operation of the API, asked by everybody, against one table."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest

from kernel.ids import new_id
from tests.support.vod import PASSWORD, Vod, databases, sqlite_url, sqlite_vod
from vod.accounts.roles import Role
from vod.http.openapi import build_openapi

__all__ = ["databases", "sqlite_url", "sqlite_vod"]  # Fixtures.

WHO = (
    None, Role.MEMBER, "other instructor", Role.INSTRUCTOR, Role.EDITOR, Role.UNIT_ADMIN,
    Role.ADMIN,
)  # fmt: skip
# In the order of WHO; "instructor" teaches the class, "other instructor" another one.
TABLE: dict[str, tuple[int, ...]] = {
    "patchAccount": (401, 200, 200, 200, 200, 200, 200),
    "getAccounts": (401, 403, 403, 403, 403, 403, 200),
    "postAccounts": (401, 403, 403, 403, 403, 403, 201),
    "getAccountsByAccountId": (401, 403, 403, 403, 403, 403, 200),
    "patchAccountsByAccountId": (401, 403, 403, 403, 403, 403, 200),
    "getOidc": (200,) * 7,
    "getOidcStart": (404,) * 7,  # Off until it is configured.
    "getOidcCallback": (404,) * 7,
    "getIdentities": (401, *(200,) * 6),
    "deleteIdentitiesByIdentityId": (401, *(404,) * 6),  # They have none.
    "getAudit": (401, 403, 403, 403, 403, 403, 200),
    # Units and members: here the unit admin has no unit; test_rights_of_units.py gives them one.
    "getOrgUnits": (401, 403, 403, 403, 200, 403, 200),
    "postOrgUnits": (401, 403, 403, 403, 403, 403, 201),
    "getOrgUnitsByOrgUnitId": (401, 403, 403, 403, 200, 403, 200),
    "patchOrgUnitsByOrgUnitId": (401, 403, 403, 403, 403, 403, 200),
    "deleteOrgUnitsByOrgUnitId": (401, 403, 403, 403, 403, 403, 204),
    "getMembers": (401, 403, 403, 403, 403, 403, 200),
    "postMembers": (401, 403, 403, 403, 403, 403, 201),
    "getMembersByAccountId": (401, 403, 403, 403, 403, 403, 200),
    "patchMembersByAccountId": (401, 403, 403, 403, 403, 403, 200),
    "postMembersByAccountIdReset": (401, 403, 403, 403, 403, 403, 200),
    "putMembersByAccountIdScopes": (401, 403, 403, 403, 403, 403, 200),
    "getMemberLists": (401, 403, 403, 403, 200, 403, 200),
    "putMemberListsByWhich": (401, 403, 403, 403, 403, 403, 200),
    "getRoster": (401, 403, 403, 403, 403, 403, 200),
    "getRosterTemplate": (401, 403, 403, 403, 403, 403, 200),
    "getRosterImports": (401, 403, 403, 403, 403, 403, 200),
    "postRosterImports": (401, 403, 403, 403, 403, 403, 201),
    "getRosterImportsByImportId": (401, 403, 403, 403, 403, 403, 200),
    "deleteRosterImportsByImportId": (401, 403, 403, 403, 403, 403, 204),
    "postRosterImportsByImportIdConfirm": (401, 403, 403, 403, 403, 403, 409),  # Not tried yet.
    "getRosterImportsByImportIdErrors": (401, 403, 403, 403, 403, 403, 200),
    "getConfig": (200,) * 7,
    "getHome": (200,) * 7,
    "getSearch": (200,) * 7,
    "getSearchSuggest": (200,) * 7,
    "getLectures": (200,) * 7,
    "getLecturesByLectureId": (200,) * 7,
    "getLecturesByLectureIdJobs": (401, 403, 403, 200, 200, 403, 200),
    "patchLecturesByLectureId": (401, 403, 403, 403, 200, 403, 200),
    "deleteLecturesByLectureId": (401, 403, 403, 403, 204, 403, 204),
    "postLecturesByLectureIdSignedUrl": (200,) * 7,
    "postLecturesByLectureIdTranscode": (401, 403, 403, 403, 202, 403, 202),
    "getLiveClasses": (200,) * 7,
    "postLiveClasses": (401, 403, 201, 201, 201, 403, 201),
    "getLiveClassesByClassId": (200,) * 7,
    "patchLiveClassesByClassId": (401, 403, 403, 200, 200, 403, 200),
    "deleteLiveClassesByClassId": (401, 403, 403, 204, 204, 403, 204),
    "getLiveClassesByClassIdPublish": (401, 403, 403, 200, 200, 403, 200),
    "postLiveClassesByClassIdRotateKey": (401, 403, 403, 200, 200, 403, 200),
    "postLiveClassesByClassIdEnd": (401, 403, 403, 200, 200, 403, 200),
    "postLiveClassesByClassIdReopen": (401, 403, 403, 409, 409, 403, 409),  # Streamer forgot it.
    "getSeries": (200,) * 7,
    "postSeries": (401, 403, 403, 403, 201, 403, 201),
    "getSeriesBySeriesId": (200,) * 7,
    "getSeriesBySeriesIdLectures": (200,) * 7,
    "putSeriesBySeriesIdLectures": (401, 403, 403, 403, 200, 403, 200),
    "getSeriesBySeriesIdCover": (404,) * 7,  # It has none.
    "putSeriesBySeriesIdCover": (401, 403, 403, 403, 415, 403, 415),
    "postLectures": (401, 403, 403, 403, 201, 403, 201),
    "postLecturesBulk": (401, 403, 403, 403, 404, 403, 404),
    "getLecturesByLectureIdPublication": (401, 403, 403, 200, 200, 403, 200),
    "postLecturesByLectureIdPublication": (401, 403, 403, 403, 200, 403, 200),
    "postLecturesByLectureIdDocuments": (401, 403, 403, 201, 201, 403, 201),
    "getLecturesByLectureIdDocumentsByDocumentId": (404,) * 7,
    "deleteLecturesByLectureIdDocumentsByDocumentId": (401, 403, 403, 404, 404, 403, 404),
    "getReviewQueue": (401, 403, 403, 403, 200, 403, 200),
    "getReviewPolicy": (401, 403, 403, 403, 200, 403, 200),
    "putReviewPolicy": (401, 403, 403, 403, 403, 403, 200),
    "getFilms": (200,) * 7,
    "getContests": (200,) * 7,
    "postContests": (401, 403, 403, 403, 201, 403, 201),
    "getContestsByContestId": (404, 404, 404, 404, 200, 404, 200),  # It is a draft.
    "patchContestsByContestId": (401, 403, 403, 403, 200, 403, 200),
    "deleteContestsByContestId": (401, 403, 403, 403, 204, 403, 204),
    "putContestsByContestIdFilms": (401, 403, 403, 403, 200, 403, 200),
    "putContestsByContestIdJudges": (401, 403, 403, 403, 200, 403, 200),
    "postContestsByContestIdOpen": (401, 403, 403, 403, 409, 403, 409),  # Without films.
    "postContestsByContestIdClose": (401, 403, 403, 403, 409, 403, 409),  # Not open.
    "getContestsByContestIdSheets": (401, 403, 403, 403, 409, 403, 409),  # Not closed.
    "getJudging": (401, *(200,) * 6),
    # None of them is a judge; what judges and the others see is in test_contests_api.py.
    "getJudgingByContestId": (401, *(404,) * 6),
    "putJudgingByContestIdFilmsByContestFilmId": (401, *(404,) * 6),
    "getForms": (200,) * 7,
    "putForms": (401, 403, 403, 403, 200, 403, 200),
    "getTags": (200,) * 7,
    "getInstructors": (200,) * 7,
    "postInstructors": (401, 403, 403, 403, 201, 403, 201),
    "getInstructorsByInstructorId": (200,) * 7,
    "patchInstructorsByInstructorId": (401, 403, 403, 403, 200, 403, 200),
    "deleteInstructorsByInstructorId": (401, 403, 403, 403, 204, 403, 204),
    "getInstructorsByInstructorIdClasses": (200,) * 7,
    "getInstructorsByInstructorIdPortrait": (404,) * 7,  # They have none.
    "putInstructorsByInstructorIdPortrait": (401, 403, 403, 403, 415, 403, 415),
    "getVenues": (200,) * 7,
    "postVenues": (401, 403, 403, 403, 201, 403, 201),
    "getVenuesByVenueId": (200,) * 7,
    "patchVenuesByVenueId": (401, 403, 403, 403, 200, 403, 200),
    "deleteVenuesByVenueId": (401, 403, 403, 403, 204, 403, 204),
    "patchSeriesBySeriesId": (401, 403, 403, 403, 200, 403, 200),
    "getSession": (200,) * 7,
    "postSession": (200,) * 7,
    "deleteSession": (401, 204, 204, 204, 204, 204, 204),
    "postUnitsByUnitIdRetry": (401, 403, 403, 403, 409, 403, 409),  # It has not failed.
    "getUnitsByUnitId": (401, 403, 403, 403, 200, 403, 200),
    "getUnitsFailed": (401, 403, 403, 403, 200, 403, 200),
    "getJobs": (401, 403, 403, 403, 200, 403, 200),
    "getJobsSummary": (401, 403, 403, 403, 200, 403, 200),
    "getJobsByJobId": (401, 403, 403, 200, 200, 403, 200),
    "patchJobsByJobId": (401, 403, 403, 403, 200, 403, 200),
    "postJobsByJobIdCancel": (401, 403, 403, 403, 200, 403, 200),
    "postJobsByJobIdRetry": (401, 403, 403, 403, 409, 403, 409),  # It has not failed.
    "postLecturesByLectureIdRestore": (401, 403, 403, 403, 200, 403, 200),
    "postLecturesByLectureIdCaptions": (401, 403, 403, 201, 201, 403, 201),
    "getLecturesByLectureIdCaptionsByCaptionId": (200,) * 7,
    "putLecturesByLectureIdCaptionsByCaptionId": (401, 403, 403, 200, 200, 403, 200),
    "deleteLecturesByLectureIdCaptionsByCaptionId": (401, 403, 403, 204, 204, 403, 204),
    "postLecturesByLectureIdTranscription": (401, 403, 403, 403, 409, 403, 409),  # No model.
    "getLecturesByLectureIdChapters": (200,) * 7,
    "putLecturesByLectureIdChapters": (401, 403, 403, 200, 200, 403, 200),
    "putLecturesByLectureIdPoster": (401, 403, 403, 404, 404, 403, 404),  # No such candidate.
    "getLecturesByLectureIdEdit": (401, 403, 403, 200, 200, 403, 200),
    "putLecturesByLectureIdEdit": (401, 403, 403, 409, 409, 403, 409),  # Nothing to cut yet.
    "deleteLecturesByLectureIdEdit": (401, 403, 403, 409, 409, 403, 409),
    "getLecturesByLectureIdClips": (401, 403, 403, 200, 200, 403, 200),
    "postLecturesByLectureIdClips": (401, 403, 403, 409, 409, 403, 409),  # Nothing to cut yet.
    "deleteLecturesByLectureIdClipsByClipId": (401, 403, 403, 404, 404, 403, 404),
    "getLecturesByLectureIdClipsByClipIdFile": (401, 403, 403, 404, 404, 403, 404),
    "getStorageOrphans": (401, 403, 403, 403, 403, 403, 200),
    "postStorageOrphansDelete": (401, 403, 403, 403, 403, 403, 409),  # Listed by nobody.
    "postAudiencePreview": (401, 403, 403, 403, 200, 403, 200),
    "postMenus": (401, 403, 403, 403, 201, 403, 201),
    "getMenusPreview": (401, 403, 403, 403, 200, 403, 200),
    "getMenusDrafts": (401, 403, 403, 403, 200, 403, 200),
    "getMenusBrokenLinks": (401, 403, 403, 403, 200, 403, 200),
    "patchMenusByMenuId": (401, 403, 403, 403, 200, 403, 200),
    "deleteMenusByMenuId": (401, 403, 403, 403, 204, 403, 204),
    "getMenusByMenuIdDraft": (401, 403, 403, 403, 200, 403, 200),
    "putMenusByMenuIdDraft": (401, 403, 403, 403, 200, 403, 200),
    "postMenusByMenuIdMerge": (401, 403, 403, 403, 200, 403, 200),
    "postMenusByMenuIdPublish": (401, 403, 403, 403, 201, 403, 201),
    "postMenusByMenuIdRollback": (401, 403, 403, 403, 201, 403, 201),
    "getMenusByMenuIdVersions": (401, 403, 403, 403, 200, 403, 200),
    "getMenusByMenuIdVersionsByNumber": (401, 403, 403, 403, 200, 403, 200),
    "getMenusByMenuIdDiff": (401, 403, 403, 403, 200, 403, 200),
    "getRecommendationsEntries": (401, 403, 403, 403, 200, 403, 200),
    "postRecommendationsEntries": (401, 403, 403, 403, 201, 403, 201),
    "putRecommendationsEntriesByEntryId": (401, 403, 403, 403, 200, 403, 200),
    "deleteRecommendationsEntriesByEntryId": (401, 403, 403, 403, 204, 403, 204),
    "getMenus": (401, 200, 200, 200, 200, 200, 200),
    "getMenusByMenuId": (401, 200, 200, 200, 200, 200, 200),
    "getRecommendations": (401, 200, 200, 200, 200, 200, 200),
    "getNotices": (200,) * 7,
    "postNotices": (401, 403, 403, 403, 201, 403, 201),
    "getNoticesDrafts": (401, 403, 403, 403, 200, 403, 200),
    "postNoticesDrafts": (401, 403, 403, 403, 404, 403, 404),  # No such lecture.
    "getNoticesByNoticeId": (404, 404, 404, 404, 200, 404, 200),  # It is a draft.
    "patchNoticesByNoticeId": (401, 403, 403, 403, 200, 403, 200),
    "deleteNoticesByNoticeId": (401, 403, 403, 403, 204, 403, 204),
    "postNoticesByNoticeIdPublish": (401, 403, 403, 403, 200, 403, 200),
    "postNoticesByNoticeIdWithdraw": (401, 403, 403, 403, 409, 403, 409),  # Not published.
    "getOrders": (401, 200, 200, 200, 200, 200, 200),
    "postOrders": (401, 201, 201, 201, 201, 201, 201),
    "getOrdersDemand": (401, 403, 403, 403, 200, 403, 200),
    # Ordered by an administrator for no unit: the whole city's.
    "getOrdersByOrderId": (401, 404, 404, 404, 200, 404, 200),
    "postOrdersByOrderIdMoves": (401, 404, 404, 404, 200, 404, 200),
    "getOrdersByOrderIdAssignees": (401, 404, 404, 404, 200, 404, 200),
    "getDeskTasks": (401, 200, 200, 200, 200, 200, 200),
    "getCourseList": (401, 403, 403, 403, 200, 403, 200),
    "postCourseList": (401, 403, 403, 403, 200, 403, 200),
    "getCourseListTemplate": (401, 403, 403, 403, 200, 403, 200),
    "getWebhooks": (401, 403, 403, 403, 403, 403, 200),
    "postWebhooks": (401, 403, 403, 403, 403, 403, 201),
    "getWebhooksByWebhookId": (401, 403, 403, 403, 403, 403, 200),
    "patchWebhooksByWebhookId": (401, 403, 403, 403, 403, 403, 200),
    "deleteWebhooksByWebhookId": (401, 403, 403, 403, 403, 403, 204),
    "postWebhooksByWebhookIdRotate": (401, 403, 403, 403, 403, 403, 200),
    "postWebhooksByWebhookIdPing": (401, 403, 403, 403, 403, 403, 201),
    "getWebhooksByWebhookIdDeliveries": (401, 403, 403, 403, 403, 403, 200),
    "postWebhooksByWebhookIdDeliveriesByDeliveryIdResend": (401, 403, 403, 403, 403, 403, 404),
    "getMessages": (401, 403, 403, 403, 403, 403, 200),
    "postMessages": (401, 403, 403, 403, 403, 403, 409),  # No way is configured.
    "getChannels": (200,) * 7,
    "postChannels": (401, 403, 403, 403, 201, 403, 201),
    "getChannelsByChannelId": (200,) * 7,
    "patchChannelsByChannelId": (401, 403, 403, 403, 200, 403, 200),
    "deleteChannelsByChannelId": (401, 403, 403, 403, 204, 403, 204),
    "getChannelsByChannelIdEpg": (200,) * 7,
    "getChannelsByChannelIdProgrammes": (401, 403, 403, 403, 200, 403, 200),
    "postChannelsByChannelIdProgrammes": (401, 403, 403, 403, 422, 403, 422),  # No such lecture.
    "patchChannelsByChannelIdProgrammesByProgrammeId": (401, 403, 403, 403, 404, 403, 404),
    "deleteChannelsByChannelIdProgrammesByProgrammeId": (401, 403, 403, 403, 404, 403, 404),
    "getAirings": (200,) * 7,
    "getWatching": (401, *(200,) * 6),
    "deleteWatching": (401, *(204,) * 6),
    "getWatchingPositions": (401, *(200,) * 6),
    "getWatchingRequired": (401, *(200,) * 6),
    "getWatchingSeriesBySeriesId": (401, *(200,) * 6),
    "getWatchingByLectureId": (401, *(200,) * 6),
    "putWatchingByLectureId": (401, *(200,) * 6),
    "deleteWatchingByLectureId": (401, *(204,) * 6),
    "getFavourites": (401, *(200,) * 6),
    "putFavouritesByLectureId": (401, *(204,) * 6),
    "deleteFavouritesByLectureId": (401, *(204,) * 6),
    "getUploads": (401, 403, 200, 200, 200, 403, 200),
    "getUploadsKnown": (401, 403, 200, 200, 200, 403, 200),
    "getUploadsLimits": (401, 403, 200, 200, 200, 403, 200),
    "optionsUploads": (204,) * 7,
    "optionsUploadsByUploadId": (204,) * 7,
    "postUploads": (401, 403, 201, 201, 201, 403, 201),
    # The upload is the instructor's; to others it does not exist, but for the administrator.
    "getUploadsByUploadId": (401, 403, 404, 200, 404, 403, 200),
    "headUploadsByUploadId": (401, 403, 404, 200, 404, 403, 200),
    "patchUploadsByUploadId": (401, 403, 404, 204, 404, 403, 204),
    "postUploadsByUploadId": (401, 403, 404, 204, 404, 403, 204),
    "deleteUploadsByUploadId": (401, 403, 404, 204, 404, 403, 204),
}
OPEN: dict[str, Any] = {"note": "", "audience": {}, "shows_from": None, "shows_until": None}
LINK = {
    "id": "k001", "kind": "link", "title": "学习强国", "url": "https://www.xuexi.cn/",
    "target_id": None, "is_required": False, **OPEN,
}  # fmt: skip
MENU = {
    "title": "菜单", **OPEN, "sections": [{"id": "s001", "title": "栏目", "items": [LINK], **OPEN}]
}  # fmt: skip
SAFE = {"GET", "HEAD", "OPTIONS"}
HIDDEN_WHILE_MEMBERS_ONLY = re.compile(r".*(ByClassId|ByLectureId)")
BODIES: dict[str, Any] = {
    "patchAccount": {"display_name": "名"},
    "patchAccountsByAccountId": {"display_name": "名"},
    "postOrgUnits": {"name": "市", "kind": "city"},
    "patchOrgUnitsByOrgUnitId": {"kind": "banner"},
    "patchMembersByAccountId": {"display_name": "名"},
    "putMembersByAccountIdScopes": {"scopes": []},
    "putMemberListsByWhich": {"items": []},
    "patchLecturesByLectureId": {"title": "新名"},
    "patchLiveClassesByClassId": {"title": "新名"},
    "patchSeriesBySeriesId": {"title": "新名"},
    "postLiveClasses": {"title": "课", "visibility": "public"},
    "postSeries": {"title": "系列"},
    "postLectures": {"title": "资料", "kind": "document"},
    "postLecturesBulk": {"lecture_ids": ["0" * 20]},
    "postLecturesByLectureIdPublication": {"move": "withdraw"},
    "putReviewPolicy": {"version": 1, "steps": []},
    "putForms": {
        "items": [
            {"key": key, "name": key}
            for key in ("video", "audio", "staged", "micro", "film", "lecture", "document", "link")
        ]
    },
    "postContests": {
        "title": "评比", "starts_at": "2030-01-01T00:00:00Z", "ends_at": "2030-02-01T00:00:00Z",
    },
    "patchContestsByContestId": {"version": 1, "title": "新名"},
    "putContestsByContestIdFilms": {"version": 1, "films": []},
    "putContestsByContestIdJudges": {"version": 1, "logins": []},
    "postContestsByContestIdOpen": {"version": 1},
    "postContestsByContestIdClose": {"version": 1},
    "putJudgingByContestIdFilmsByContestFilmId": {"points": {"c1": 90}},
    "postInstructors": {"name": "王五"},
    "patchInstructorsByInstructorId": {"level": "市级"},
    "postVenues": {"name": "城川", "kind": "scene"},
    "patchVenuesByVenueId": {"place": "鄂托克前旗"},
    "putSeriesBySeriesIdLectures": {"version": 1, "lectures": []},
    "patchJobsByJobId": {"priority": "low"},
    "putLecturesByLectureIdCaptionsByCaptionId": {"version": 1, "cues": []},
    "putLecturesByLectureIdChapters": {"version": 0, "chapters": []},
    "putLecturesByLectureIdPoster": {"name": "poster-0.jpg"},
    "putLecturesByLectureIdEdit": {"version": 0, "kept": [{"start_s": 0, "end_s": 2}]},
    "postLecturesByLectureIdClips": {"start_s": 0, "end_s": 2},
    "postStorageOrphansDelete": {"token": "0" * 64},
    "postAudiencePreview": {"rule": {}},
    "postMenus": {"title": "菜单"},
    "patchMenusByMenuId": {"position": 1},
    "putMenusByMenuIdDraft": {"version": 2, "content": MENU},
    "postMenusByMenuIdMerge": {"base": MENU, "mine": MENU},
    "postMenusByMenuIdPublish": {"version": 2},
    "postMenusByMenuIdRollback": {"number": 1},
    "postNotices": {"title": "动态"},
    "postNoticesDrafts": {"kind": "lecture", "id": "0" * 20},
    "patchNoticesByNoticeId": {"version": 1, "title": "新名"},
    "postNoticesByNoticeIdPublish": {"version": 1},
    "postNoticesByNoticeIdWithdraw": {"version": 1},
    "postOrders": {"kind": "wish", "title": "宪法宣讲"},
    "postOrdersByOrderIdMoves": {"version": 1, "move": "decline", "text": "已有同样的课"},
    "postWebhooks": {"url": "https://receiver.example/hook", "kinds": ["notice.sent"]},
    "patchWebhooksByWebhookId": {"description": "新名"},
    "postMessages": {"to": "operator@hall.example"},
    "postChannels": {"title": "频道"},
    "patchChannelsByChannelId": {"title": "新名"},
    "postChannelsByChannelIdProgrammes": {
        "lecture_id": "0" * 20, "starts_at": "2030-01-01T00:00:00Z",
    },
    "patchChannelsByChannelIdProgrammesByProgrammeId": {"weekdays": []},
    "postRecommendationsEntries": {"place": "home", "item": LINK},
    "putWatchingByLectureId": {"position": 1, "ranges": [[0, 1]]},
    "putRecommendationsEntriesByEntryId": {"version": 1, "item": LINK},
}  # fmt: skip
SRT = b"1\n00:00:00,000 --> 00:00:01,000\nx\n"
TUS = {"Tus-Resumable": "1.0.0"}
NEW_UPLOAD = {**TUS, "Upload-Length": "4", "Upload-Metadata": "filename YS5tcDQ="}
CHUNK = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
# What is no JSON: headers and body as they are.
RAW: dict[str, dict[str, Any]] = {
    "postLecturesByLectureIdCaptions": {
        "data": SRT, "headers": {"Content-Type": "application/octet-stream"},
    },
    "postRosterImports": {"params": {"filename": "r.csv"}, "data": b"x"},
    "postLecturesByLectureIdDocuments": {
        "data": b"%PDF-1.7", "params": {"filename": "a.pdf"},
        "headers": {"Content-Type": "application/octet-stream"},
    },
    "postCourseList": {"data": "编号,标题,类型\n1,第一课,资料\n".encode()},
    "deleteContestsByContestId": {"params": {"version": "1"}},
    "deleteNoticesByNoticeId": {"params": {"version": "1"}},
    "getWatchingPositions": {"params": {"ids": "0" * 20}},
    "getSearch": {"params": {"q": "党史"}},
    "getSearchSuggest": {"params": {"q": "党史"}},
    "getUploadsKnown": {"params": {"digest": "t1:" + "0" * 64, "size_bytes": "4"}},
    "postUploads": {"headers": NEW_UPLOAD},
    "headUploadsByUploadId": {"headers": TUS},
    "deleteUploadsByUploadId": {"headers": TUS},
    "patchUploadsByUploadId": {"data": b"ab", "headers": CHUNK},
    "postUploadsByUploadId": {
        "data": b"ab", "headers": {**CHUNK, "X-HTTP-Method-Override": "PATCH"},
    },
}  # fmt: skip

# What one request makes: where, and what is sent.
PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "series_id": ("/series", {"json": {"title": "系列"}}),
    "import_id": ("/roster-imports", RAW["postRosterImports"]),
    "instructor_id": ("/instructors", {"json": BODIES["postInstructors"]}),
    "contest_id": ("/contests", {"json": BODIES["postContests"]}),
    "notice_id": ("/notices", {"json": BODIES["postNotices"]}),
    "order_id": ("/orders", {"json": BODIES["postOrders"]}),
    "webhook_id": ("/webhooks", {"json": BODIES["postWebhooks"]}),
    "venue_id": ("/venues", {"json": BODIES["postVenues"]}),
    "entry_id": ("/recommendations/entries", {"json": BODIES["postRecommendationsEntries"]}),
    "channel_id": ("/channels", {"json": {"title": "频道", "visibility": "public"}}),
}


def _operations() -> dict[str, tuple[str, str]]:
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in build_openapi()["paths"].items()
        for method, operation in methods.items()
    }


class _World:
    """Objects to ask about: no answer depends on the one before.

    Who was refused has changed nothing, and neither has who only read: the next one is asked
    about the same object. After a change that was let through there is a fresh one.
    """

    def __init__(self, vod: Vod) -> None:
        self.vod = vod
        self._numbers = itertools.count()

    async def token(self, who: Role | str | None) -> str | None:
        if isinstance(who, Role):
            return await self.vod.token_of(who)
        if who is None:
            return None
        login = f"other{next(self._numbers)}"
        await self.vod.add_account(login, Role.INSTRUCTOR)
        return str((await self.vod.sign_in(login)).body["token"])

    async def fill(self, path: str, operation: str, visibility: str) -> str:
        """Make the object that ``path`` names, and put its ids there."""
        if "{which}" in path or "{identity_id}" in path:
            return path.format(which="categories", identity_id="0" * 20)
        if (plain := await self._find_plain(path)) is not None:
            return path.format(**plain)
        if "{class_id}" in path:
            made = await self.vod.add_class(visibility=visibility)
            if operation.endswith("Reopen"):
                await self._teach(made["id"])
            return path.format(class_id=made["id"])
        if "{upload_id}" in path:
            made = await self.vod.call("POST", "/uploads", role=Role.INSTRUCTOR, headers=NEW_UPLOAD)
            return path.format(upload_id=made.headers["Location"].rpartition("/")[2])
        if re.search(r"{(lecture|unit|job)_id}", path):
            made = await self.vod.add_class(visibility=visibility)
            lecture_id = await self._teach(made["id"])
            ids = await self._fill_lecture(lecture_id, operation)
            return path.format(lecture_id=lecture_id, **ids)
        return path

    async def _find_plain(self, path: str) -> dict[str, Any] | None:
        """Make what one request makes; ``None`` where the path names something else."""
        if "{account_id}" in path:
            login = f"a{next(self._numbers)}"
            return {"account_id": await self.vod.add_account(login, Role.MEMBER)}
        if "{org_unit_id}" in path:
            return {"org_unit_id": await self.add_unit()}
        if "{menu_id}" in path:
            return {"menu_id": await self._publish_menu(), "number": 1}
        for name, (where, sent) in PLAIN.items():
            if f"{{{name}}}" in path:
                made = await self.vod.call("POST", where, role=Role.ADMIN, **sent)
                made_id = made.body["webhook"]["id"] if name == "webhook_id" else made.body["id"]
                inner = ("programme_id", "contest_film_id", "delivery_id")
                return {name: made_id, **dict.fromkeys(inner, "0" * 20)}
        return None

    async def add_unit(self) -> str:
        body = {"name": f"单位{next(self._numbers)}", "kind": "other"}
        made = await self.vod.call("POST", "/org-units", role=Role.ADMIN, json=body)
        return str(made.body["id"])

    async def _publish_menu(self) -> str:
        """A menu with one version, saved once."""
        made = await self.vod.call("POST", "/menus", role=Role.EDITOR, json={"title": "菜单"})
        path = f"/menus/{made.body['id']}"
        saved = {"version": 1, "content": MENU}
        await self.vod.call("PUT", f"{path}/draft", role=Role.EDITOR, json=saved)
        await self.vod.call("POST", f"{path}/publish", role=Role.EDITOR, json={"version": 2})
        return str(made.body["id"])

    async def _fill_lecture(self, lecture_id: str, operation: str) -> dict[str, str]:
        base = f"/lectures/{lecture_id}"
        jobs = await self.vod.call("GET", f"{base}/jobs", role=Role.ADMIN)
        job = jobs.body["items"][0]
        ids = {"job_id": job["id"], "unit_id": job["units"][0]["id"]}
        ids["document_id"] = ids["clip_id"] = "0" * 20
        if "ByCaptionId" in operation:
            raw = RAW["postLecturesByLectureIdCaptions"]
            made = await self.vod.call("POST", f"{base}/captions", role=Role.ADMIN, **raw)
            ids["caption_id"] = made.body["id"]
        if operation.endswith("Restore"):
            await self.vod.call("DELETE", base, role=Role.ADMIN)
        return ids

    async def _teach(self, class_id: str) -> str:
        """Report a broadcast of the class; return its lecture."""
        publish = await self.vod.call("GET", f"/live-classes/{class_id}/publish", role=Role.ADMIN)
        request = {"protocol": "rtmp", "credential": publish.body["stream_key"], "peer": "x"}
        grant = await self.vod.internal.call(
            "POST", "/internal/publish", body=json.dumps(request).encode()
        )
        picture = {"width_px": 640, "height_px": 360}
        await self.vod.send_event(
            "epoch_started", grant["broadcast_id"], epoch=0, protocol="rtmp", **picture
        )
        await self.vod.send_ended(grant["broadcast_id"])
        await self.vod.send_event("recording_stored", grant["broadcast_id"], recording_version=1)
        found = await self.vod.call("GET", f"/live-classes/{class_id}", role=Role.ADMIN)
        return str(found.body["replay"]["lecture_id"])


def test_the_table_names_every_operation() -> None:
    assert set(TABLE) == set(_operations())


@pytest.mark.timeout(300)  # Some six hundred questions; a busy machine takes its time.
async def test_every_operation_answers_everybody_as_the_table_says(sqlite_vod: Vod) -> None:
    world, wrong = _World(sqlite_vod), []
    await sqlite_vod.token_of(Role.INSTRUCTOR)
    for visibility in ("public", "members"):
        for operation, (method, path) in _operations().items():
            is_hidden = visibility == "members" and HIDDEN_WHILE_MEMBERS_ONLY.match(operation)
            if visibility == "members" and not is_hidden:
                continue
            url = ""
            for who, expected in zip(WHO, TABLE[operation], strict=True):
                # A stranger learns nothing: reading finds nothing, changing asks who it is.
                is_stranger = is_hidden and who is None and expected < 400
                wanted = 404 if is_stranger else expected
                url = url or (await world.fill(path, operation, visibility))
                url = url.removeprefix("/api/v1")
                body = BODIES.get(operation)
                if operation == "postAccounts":
                    login = f"new{new_id()}"
                    body = {"login": login, "display_name": "新", "role": "member"}
                if operation == "postMembers":
                    body = {"display_name": "新", "unit_id": await world.add_unit()}
                if operation == "postSession":
                    await sqlite_vod.token_of(Role.MEMBER)
                    body = {"login": "member", "password": PASSWORD}
                token = await world.token(who)
                if operation == "deleteSession" and isinstance(who, Role):
                    token = (await sqlite_vod.sign_in(who.value.replace("_", "."))).body["token"]
                sent = RAW.get(operation) or {"json": body}
                answer = await sqlite_vod.call(method, url, token=token, **sent)
                if answer.status != wanted:
                    wrong.append((operation, visibility, who, answer.status, wanted, answer.body))
                if answer.status < 400 and method not in SAFE:
                    url = ""
    assert not wrong, "\n".join(map(str, wrong))


async def test_nobody_makes_himself_more_than_he_is(sqlite_vod: Vod) -> None:
    token = await sqlite_vod.token_of(Role.MEMBER)
    member_id = sqlite_vod.account_ids[Role.MEMBER]
    for path, body in (
        ("/account", {"role": "admin"}),
        ("/account", {"is_disabled": False}),
        ("/account", {"login": "admin"}),
        (f"/accounts/{member_id}", {"role": "admin"}),
    ):
        answer = await sqlite_vod.call("PATCH", path, token=token, json=body)
        assert answer.status in (403, 422), (path, body)
    found = await sqlite_vod.call("GET", "/session", token=token)
    assert found.body["account"]["role"] == "member"
    instructor = await sqlite_vod.token_of(Role.INSTRUCTOR)
    answer = await sqlite_vod.call(
        "POST", "/live-classes", token=instructor,
        json={"title": "x", "visibility": "public", "instructor_id": member_id},
    )  # fmt: skip
    assert answer.status == 403
