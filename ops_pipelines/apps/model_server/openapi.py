"""The server's own description, as OpenAPI 3.1, from the types that it decodes."""

from importlib.metadata import version
from typing import Any

from msgspec import json

from ops_pipelines.apps.model_server.board import Board
from ops_pipelines.apps.model_server.protocol import (
    ErrorResponse,
    InferRequest,
    InferResponse,
    PredictRequest,
    PredictResponse,
)

_KINDS = (InferRequest, InferResponse, PredictRequest, PredictResponse, ErrorResponse)
_REFUSALS = {
    "400": "The body is no JSON",
    "401": "A token is asked for, and none or an unknown one was given",
    "403": "The token's principal may not do this",
    "404": "No such system, version or entity",
    "408": "The body did not arrive in time",
    "413": "The body is too large",
    "415": "The body is not plain JSON",
    "422": "A field is not what the release takes; `field` names it",
    "501": "This server looks no features up",
    "503": "The system cannot answer now; the reason stands in `error`",
}


def describe_api(board: Board, *, looks_up: bool) -> dict[str, Any]:
    """The document, with the systems that are served now as the values of `system`.

    The door for entity keys is left out where the server looks no features up.
    """
    _, schemas = json.schema_components(_KINDS, ref_template="#/components/schemas/{name}")
    system = _parameter("system", {"type": "string", "enum": sorted(board.slots)})
    versioned = [system, _parameter("version", {"type": "string", "maxLength": 64, "minLength": 1})]
    infer = _post("Score vectors of features", "InferRequest", "InferResponse")
    predict = _post("Score entities, their features looked up online", "PredictRequest", "PredictResponse")
    model = _get("What the system takes and gives")
    ready = _get("Whether the system answers")
    return {
        "openapi": "3.1.0",
        "info": {"title": "ops_pipelines model server", "version": version("ops-pipelines")},
        "paths": {
            "/v2/models/{system}/infer": {"parameters": [system], "post": infer},
            "/v2/models/{system}/versions/{version}/infer": {"parameters": versioned, "post": infer},
            **({"/v1/predict/{system}": {"parameters": [system], "post": predict}} if looks_up else {}),
            "/v2/models/{system}": {"parameters": [system], "get": model},
            "/v2/models/{system}/versions/{version}": {"parameters": versioned, "get": model},
            "/v2/models/{system}/ready": {"parameters": [system], "get": ready},
            "/v2/models/{system}/versions/{version}/ready": {"parameters": versioned, "get": ready},
            "/v2": {"get": _get("The server")},
            "/v2/health/live": {"get": _get("Whether the process answers")},
            "/v2/health/ready": {"get": _get("Whether every system answers")},
            "/health": {"get": _get("Everything a person on call wants to know of one worker")},
        },
        "components": {"schemas": schemas},
    }


def _parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _post(summary: str, takes: str, gives: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(takes)}}},
        "responses": {"200": _answer("The answer", _ref(gives)), **_refusals()},
    }


def _get(summary: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _answer("The answer", {"type": "object"}), **_refusals()}}


def _refusals() -> dict[str, Any]:
    return {status: _answer(words, _ref("ErrorResponse")) for status, words in _REFUSALS.items()}


def _answer(words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
