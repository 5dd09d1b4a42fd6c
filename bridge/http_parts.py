"""The server's HTTP application: every part's routes, and what those who watch over a server ask of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from bridge.facades.mind import CrossOrigin
from bridge.metrics.page import Metrics
from bridge.store import SqlStore
from bridge.switchboard import Switchboard

DATABASE_TIMEOUT_S = 5.0
"""A database that takes longer to answer is out of reach."""


class Vitals:
    """Whether the server lives, whether it takes work, and its metrics."""

    def __init__(self, switchboard: Switchboard, store: SqlStore, metrics: Metrics) -> None:
        self._switchboard = switchboard
        self._store = store
        self._metrics = metrics

    async def alive(self) -> Response:
        """As long as it answers."""
        return Response("alive\n", media_type="text/plain")

    async def ready(self) -> Response:
        """503 while it goes down, or cannot keep anything."""
        if self._switchboard.draining:
            return _unready("draining")
        try:
            async with asyncio.timeout(DATABASE_TIMEOUT_S):
                await self._store.ping()
        except Exception:
            return _unready("the database is out of reach")
        return Response("ready\n", media_type="text/plain")

    async def metrics(self, request: Request) -> Response:
        """For Prometheus."""
        page, content_type = self._metrics.page(request.headers.get("accept", ""))
        return Response(page, media_type=content_type)


def http_app(version: str, routers: Iterable[APIRouter], vitals: Vitals, *, with_metrics: bool) -> FastAPI:
    """Everything there is; `with_metrics`: the metrics too, which have no listener of their own then."""
    app = FastAPI(title="Media bridge", version=version, docs_url=None, redoc_url=None)
    app.add_api_route("/healthz", vitals.alive, include_in_schema=False)
    app.add_api_route("/readyz", vitals.ready, include_in_schema=False)
    if with_metrics:
        app.add_api_route("/metrics", vitals.metrics, include_in_schema=False)
    for router in routers:
        app.include_router(router)
    app.add_middleware(CrossOrigin)
    app.add_exception_handler(HTTPException, _no_such_call)
    return app


def metrics_app(vitals: Vitals) -> FastAPI:
    """For the metrics' own listener."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route("/metrics", vitals.metrics)
    return app


async def _no_such_call(request: Request, error: Exception) -> Response:
    """What no route takes up, in the form that every error has here."""
    assert isinstance(error, HTTPException)
    body = {"error": error.detail.lower(), "status": error.status_code}
    return JSONResponse(body, error.status_code, error.headers)


def _unready(why: str) -> Response:
    return Response(f"{why}\n", 503, {"Retry-After": "5"}, "text/plain")
