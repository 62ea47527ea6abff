"""The description of the API: current, closed in itself, honest about problems."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from vod.http.openapi import build_openapi

COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return build_openapi()


def iter_operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def iter_refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from iter_refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from iter_refs(value)


def test_the_committed_document_is_current(document: dict[str, Any]) -> None:
    assert json.loads(COMMITTED.read_text()) == document, "run `make openapi`"


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    names = {reference.removeprefix("#/components/schemas/") for reference in iter_refs(document)}
    assert names <= set(schemas)
    assert set(schemas) <= names, "and nothing is described that nobody uses"


def test_every_schema_is_a_valid_one(document: dict[str, Any]) -> None:
    definitions = json.loads(
        json.dumps(document["components"]["schemas"]).replace("#/components/schemas/", "#/$defs/")
    )
    for name in definitions:
        jsonschema_rs.meta.validate({"$ref": f"#/$defs/{name}", "$defs": definitions})


def test_operations_have_unique_names_and_say_what_can_go_wrong(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in iter_operations(document)]
    assert len(set(names)) == len(names)
    for path, method, operation in iter_operations(document):
        where = f"{method} {path}"
        responses = operation["responses"]
        assert operation["summary"], where
        assert operation["tags"], where
        assert "application/problem+json" in responses["default"]["content"], where
        # One answer when it goes well: what was asked for, or where to go on.
        assert sum(status.startswith(("2", "3")) for status in responses) == 1, where
        declared = {
            item["name"] for item in operation.get("parameters", []) if item["in"] == "path"
        }
        assert declared == {part[1:-1] for part in path.split("/") if part.startswith("{")}, where
        if method != "get" and (method, path) != ("post", "/api/v1/session"):
            assert operation["security"], where


def test_answers_promise_every_member(document: dict[str, Any]) -> None:
    for name in ("LiveClass", "Lecture", "Account", "CreatedLiveClass", "Home", "SiteConfig"):
        schema = document["components"]["schemas"][name]
        assert set(schema["required"]) == set(schema["properties"]), name


@pytest.mark.parametrize(
    "path",
    [
        "/session", "/account", "/accounts", "/accounts/{account_id}", "/home", "/config",
        "/live-classes", "/live-classes/{class_id}", "/live-classes/{class_id}/publish",
        "/live-classes/{class_id}/rotate-key", "/live-classes/{class_id}/end",
        "/live-classes/{class_id}/reopen", "/series", "/series/{series_id}", "/lectures",
        "/lectures/{lecture_id}", "/lectures/{lecture_id}/jobs",
        "/lectures/{lecture_id}/transcode", "/lectures/{lecture_id}/signed-url",
        "/units/{unit_id}/retry", "/audit",
    ],
)  # fmt: skip
def test_every_promised_resource_is_described(document: dict[str, Any], path: str) -> None:
    assert f"/api/v1{path}" in document["paths"]
