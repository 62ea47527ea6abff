"""Base of the API's views: bodies read strictly, errors as ours, answers as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from aiohttp import web
from aiohttp_pydantic import PydanticView
from aiohttp_pydantic.injectors import CONTEXT, AbstractInjector, BodyGetter
from pydantic import BaseModel, ValidationError

from kernel.errors import InputError, NotFoundError, NotSignedInError
from kernel.http import parse_body
from kernel.ids import is_id
from vod.accounts.roles import Viewer
from vod.db.engine import Database
from vod.http.keys import DATABASE, VIEWER


class _StrictBody(BodyGetter):  # type: ignore[misc]  # The library ships no types.
    """Read a JSON body with pydantic's own total parser instead of ``json.loads``."""

    async def inject(
        self, request: web.Request, _args_view: list[Any], kwargs_view: dict[str, Any]
    ) -> None:
        # A form cannot send this type across origins, so it also helps against CSRF.
        if request.content_type != "application/json":
            raise InputError("the body must be application/json", status=415)
        limit_bytes: int | None = getattr(request.match_info.handler, "max_body_bytes", None)
        if limit_bytes is not None:
            request = request.clone(client_max_size=limit_bytes)
        kwargs_view[self.arg_name] = await parse_body(request, self.model)


class ApiView(PydanticView):  # type: ignore[misc]  # The library ships no types.
    """A resource. Handlers: parse -> one service call -> render.

    ``max_body_bytes``: Of a JSON body, where that may be larger than the application's limit.
    """

    request: web.Request
    max_body_bytes: ClassVar[int | None] = None

    @staticmethod
    def _parse_func_signature(func: Callable[..., Any]) -> Iterable[AbstractInjector]:
        injectors = PydanticView._parse_func_signature(func)  # noqa: SLF001 - the library's only hook
        for injector in injectors:
            if isinstance(injector, BodyGetter):
                injector.__class__ = _StrictBody
        return list(injectors)

    async def on_validation_error(
        self, exception: ValidationError, context: CONTEXT
    ) -> web.StreamResponse:
        """Turn a wrong path or query into our error (bodies raise theirs themselves)."""
        first = exception.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        if context == "path":
            raise NotFoundError(f"no {field} like that") from exception
        raise InputError(f"{field}: {first['msg']}", field=field, status=422) from exception

    @property
    def viewer(self) -> Viewer:
        return self.request[VIEWER]

    @property
    def database(self) -> Database:
        return self.request.app[DATABASE]

    def require_account(self) -> str:
        """Return the account that asks.

        Raises:
            NotSignedInError: Nobody is signed in.
        """
        if self.viewer.account_id is None:
            raise NotSignedInError("sign in first")
        return self.viewer.account_id


def require_id(text: str, what: str) -> str:
    """Return ``text`` if it has the shape of an identifier.

    Raises:
        NotFoundError: It has not, so nothing has that name; the database is not asked.
    """
    if not is_id(text):
        raise NotFoundError(f"no such {what}")
    return text


def respond(model: BaseModel, *, status: int = 200) -> web.Response:
    """Answer with ``model`` as JSON; never cached, since it depends on who asks."""
    return web.Response(
        body=model.model_dump_json().encode(),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def respond_empty(status: int = 204) -> web.Response:
    """Answer without a body."""
    return web.Response(status=status, headers={"Cache-Control": "no-store"})
