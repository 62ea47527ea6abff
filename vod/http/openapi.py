"""The OpenAPI 3.1 document of the public API, from the typed views.

``python -m vod.http.openapi > docs/openapi.json``. Paths, parameters and answers are read by
aiohttp-pydantic; what it does not know is added here: problems, security, operation ids, and
component schemas as pydantic itself writes them (its own translation to 3.0 loses ``$ref | null``).
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from enum import Enum
from http import HTTPStatus
from typing import Any, Final, Literal, get_args, get_type_hints

from aiohttp import web
from aiohttp_pydantic.injectors import Group
from aiohttp_pydantic.oas import pydantic_schema_to_oas
from aiohttp_pydantic.oas.view import generate_oas
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from vod.http.openapi_bodies import JSON_MODELS, RAW_BODIES, add_raw_body
from vod.http.routes import API_ROUTES
from vod.http.types import View
from vod.http.view import ApiView
from vod.people.sheets import MIME as XLSX

TITLE: Final = "云上讲堂 Lecture Hall"
VERSION: Final = "1"
REF: Final = "#/components/schemas/{model}"
SECURITY_SCHEMES: Final = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "hall_session",
        "description": "Changes also carry X-CSRF-Token, see GET /api/v1/session.",
    },
    "bearer": {"type": "http", "scheme": "bearer"},
}
# Reading these is for everybody; signing in is how one gets a session.
OPEN_OPERATIONS: Final = frozenset({("post", "/api/v1/session")})
PUBLIC_READS: Final = re.compile(
    r"/api/v1/(session|home|config|oidc|live-classes|lectures|series|search|channels|airings)"
)
PRIVATE_READS: Final = re.compile(r"/(publish|jobs|programmes|clips|clips/\{clip_id\}/file)$")
SHEETS: Final = frozenset(
    {
        ("get", "/api/v1/roster"),
        ("get", "/api/v1/roster/template"),
        ("get", "/api/v1/course-list"),
        ("get", "/api/v1/course-list/template"),
    }
)
CONFLICTS: Final = re.compile(
    r"/(accounts|accounts/\{account_id\}|live-classes/\{class_id\}|end|reopen|retry|transcode)$"
)


class Problem(View):
    """RFC 9457: what went wrong. ``type`` is stable, ``title`` is for people, in Chinese."""

    type: str
    title: str
    status: int
    detail: str
    field: str | None = None


def build_openapi() -> dict[str, Any]:
    """Build the whole document, members in a stable order. No server is needed."""
    pydantic_schema_to_oas.add_or_replace_translater("3.0.0", lambda _schema: None)
    app = web.Application()
    app.add_routes(API_ROUTES)
    document: dict[str, Any] = generate_oas([app], VERSION, TITLE)
    document["openapi"] = "3.1.0"
    document["servers"] = [{"url": "/"}]
    document["components"] = {
        "schemas": _build_schemas(app),
        "securitySchemes": SECURITY_SCHEMES,
    }
    for path, item in document["paths"].items():
        for method, operation in item.items():
            _complete(operation, method=method, path=path)
    document["paths"] = {
        path: dict(sorted(item.items())) for path, item in sorted(document["paths"].items())
    }
    return document


def _build_schemas(app: web.Application) -> dict[str, Any]:
    models: set[tuple[type[BaseModel], Literal["validation", "serialization"]]] = {
        (Problem, "validation")
    }
    models.update((model, "validation") for model in JSON_MODELS)
    for handler in _iter_handlers(app):
        for name, hint in get_type_hints(handler).items():
            if name == "return":
                models.update((model, "serialization") for model in _find_models(hint))
            else:
                models.update((model, "validation") for model in _find_models(hint))
    ordered = sorted(models, key=lambda pair: (pair[0].__name__, pair[1]))
    _, definitions = models_json_schema(ordered, ref_template=REF)
    schemas: dict[str, Any] = definitions["$defs"]
    # An enumeration that only parameters have is in no model.
    for choice in {one for handler in _iter_handlers(app) for one in _list_enums(handler)}:
        schemas.setdefault(choice.__name__, TypeAdapter(choice).json_schema())
    return dict(sorted(schemas.items()))


def _iter_handlers(app: web.Application) -> Iterator[Any]:
    for route in app.router.routes():
        view = route.handler
        if inspect.isclass(view) and issubclass(view, ApiView):
            for method in sorted(view.allowed_methods):
                yield getattr(view, method.lower())


def _list_enums(owner: Any) -> Iterator[type[Enum]]:
    """List the enumerations of a handler's parameters, also of groups of them."""
    for hint in get_type_hints(owner).values():
        for one in (hint, *get_args(hint)):
            if inspect.isclass(one) and issubclass(one, Enum):
                yield one
            elif inspect.isclass(one) and issubclass(one, Group):
                yield from _list_enums(one)


def _find_models(hint: Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(hint) and issubclass(hint, BaseModel):
        yield hint
    for argument in get_args(hint):
        yield from _find_models(argument)


def _complete(operation: dict[str, Any], *, method: str, path: str) -> None:
    description = str(operation.get("description", "")).strip()
    operation["summary"] = description.splitlines()[0] if description else ""
    operation["operationId"] = _build_operation_id(method, path)
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _drop_null(parameter["schema"])
    if not operation.get("parameters"):
        operation.pop("parameters", None)
    raw = RAW_BODIES.get((method, path))
    answers = {} if raw is None else add_raw_body(operation, raw, ref=REF)
    _add_security(operation, method=method, path=path)
    for status, text in answers.items():
        operation["responses"][str(status)] = _build_problem(text)
    _add_problems(operation, method=method, path=path)
    if (method, path) in SHEETS:
        binary = {"schema": {"type": "string", "format": "binary"}}
        others = ("text/csv", "application/json") if path.endswith("/course-list") else ()
        operation["responses"]["200"]["content"] = dict.fromkeys((XLSX, *others), binary)


def _drop_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is there or it is not: there is no way to send null."""
    kept = {key: value for key, value in schema.items() if key != "title"}
    options = [option for option in kept.pop("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        kept.update(options[0])
    elif options:
        kept["anyOf"] = options
    return kept


def _build_operation_id(method: str, path: str) -> str:
    words = [
        "By" + _capitalise(part[1:-1]) if part.startswith("{") else _capitalise(part)
        for part in path.removeprefix("/api/v1/").split("/")
    ]
    return method + "".join(words)


def _capitalise(part: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[-_]", part))


def _add_security(operation: dict[str, Any], *, method: str, path: str) -> None:
    schemes: list[dict[str, list[str]]] = [{"session": []}, {"bearer": []}]
    is_public = method == "get" and PUBLIC_READS.match(path) and not PRIVATE_READS.search(path)
    if (method, path) in OPEN_OPERATIONS:
        schemes = []
    elif is_public or path.endswith("/signed-url"):
        schemes.append({})  # Nobody needs to sign in, but whoever does may see more.
    operation["security"] = schemes


def _add_problems(operation: dict[str, Any], *, method: str, path: str) -> None:
    responses: dict[str, Any] = operation["responses"]
    for status, response in responses.items():
        response["description"] = response.get("description") or _describe(status)
        if status.startswith(("4", "5")):
            response.update(_build_problem(response["description"]))
    wanted = {404} if "{" in path else set()
    if operation["security"] and {} not in operation["security"]:
        wanted |= {401, 403}
    if "requestBody" in operation:
        wanted |= {400, 413, 415, 422}
    if any(parameter["in"] == "query" for parameter in operation.get("parameters", [])):
        wanted.add(422)
    if method != "get" and CONFLICTS.search(path):
        wanted.add(409)
    if (method, path) in OPEN_OPERATIONS:
        wanted |= {401, 429}
    for status_code in wanted:
        responses.setdefault(str(status_code), _build_problem(_describe(str(status_code))))
    responses["default"] = _build_problem("Something else went wrong")
    operation["responses"] = dict(sorted(responses.items()))


def _describe(status: str) -> str:
    return HTTPStatus(int(status)).phrase


def _build_problem(description: str) -> dict[str, Any]:
    schema = {"$ref": REF.format(model=Problem.__name__)}
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }


def main() -> None:
    """Print the document."""
    sys.stdout.write(json.dumps(build_openapi(), ensure_ascii=False, indent=2) + "\n")


if __name__ == "__main__":
    main()
