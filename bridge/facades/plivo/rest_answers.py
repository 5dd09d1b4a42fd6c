"""What the stream API answers, in Plivo's shapes. Pure: values in, JSON out.

Of a stream, these are ours: `name`, `participant_id`, `capture_id`, `end_reason`, `end_detail`, `attempts`,
`reconnects`, `unsent_percent`, the sums `captured`, `delivered` and `lost`, `tracks` with their gaps (frames
of 20 ms), `played`, `turns` (docs/turns.md), and `streams` with `older_streams`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import msgspec

from bridge.core.ledger import TrackLedger
from bridge.facades.plivo.callbacks import moment
from bridge.facades.plivo.fork import Fork
from bridge.facades.plivo.rest_wire import Page

BILLING_S = 60
NOTHING_BILLED = "0.00000"


def api_id() -> str:
    """Every answer has one."""
    return str(uuid4())


def started(fork: Fork) -> dict[str, Any]:
    """A stream was begun."""
    return {"api_id": api_id(), "message": "audio streaming started", "stream_id": fork.id}


def error(text: str) -> dict[str, Any]:
    """Something was refused."""
    return {"api_id": api_id(), "error": text}


def stream(fork: Fork, now: float) -> dict[str, Any]:
    """One stream, with everything that is known of it."""
    return {"api_id": api_id(), **_stream(fork, now)}


def streams(forks: Sequence[Fork], page: Page, path: str, now: float) -> dict[str, Any]:
    """A page of a call's streams; `path` is the list's own."""
    objects = [_stream(fork, now) for fork in forks[page.offset : page.offset + page.limit]]
    return {"api_id": api_id(), "meta": page_meta(page, len(forks), path), "objects": objects}


def page_meta(page: Page, total: int, path: str) -> dict[str, Any]:
    """Where in a list a page is."""
    limit, offset = page.limit, page.offset
    later = offset + limit
    return {
        "limit": limit,
        "next": _page(path, limit, later) if later < total else None,
        "offset": offset,
        "previous": _page(path, limit, max(0, offset - limit)) if offset else None,
        "total_count": total,
    }


def live_call(
    call_uuid: str, ends: tuple[str, str], name: str, direction: str, since: float, more: dict[str, str]
) -> dict[str, Any]:
    """A call that goes on."""
    return {
        "api_id": api_id(),
        "call_status": "in-progress",
        "call_uuid": call_uuid,
        "caller_name": name,
        "direction": direction,
        "from": ends[0],
        "request_uuid": call_uuid,
        "session_start": moment(since),
        "to": ends[1],
        **more,
    }


def live_calls(ids: Sequence[str]) -> dict[str, Any]:
    """The ids of the calls that go on."""
    return {"api_id": api_id(), "calls": list(ids)}


def written(resource: dict[str, Any]) -> bytes:
    """As JSON."""
    return msgspec.json.encode(resource)


def list_path(auth_id: str, call_uuid: str) -> str:
    """Of a call's streams."""
    return f"/v1/Account/{quote(auth_id, safe='')}/Call/{quote(call_uuid, safe='')}/Stream/"


def _page(path: str, limit: int, offset: int) -> str:
    return f"{path}?limit={limit}&offset={offset}"


def _stream(fork: Fork, now: float) -> dict[str, Any]:
    request, ledger, sums = fork.request, fork.ledger, fork.sums()
    duration_s = fork.duration_s(now)
    shown: dict[str, Any] = {
        "audio_track": request.audio_track,
        "bidirectional": request.bidirectional,
        "bill_duration": int(duration_s),
        "billed_amount": NOTHING_BILLED,
        "call_uuid": fork.call_uuid,
        "content_type": request.content_type,
        "created_at": moment(fork.created_at),
        "end_time": _moment(fork.ended_at),
        "plivo_auth_id": fork.auth_id,
        "resource_uri": f"{list_path(fork.auth_id, fork.call_uuid)}{fork.id}/",
        "rounded_bill_duration": math.ceil(duration_s / BILLING_S) * BILLING_S,
        "service_url": request.service_url,
        "start_time": _moment(fork.started_at),
        "status": fork.status,
        "status_callback_url": request.status_url,
        "stream_id": fork.id,
        "name": fork.name,
        "participant_id": fork.bot_id or fork.participant_id,
        "end_reason": fork.ending.reason if fork.ending else None,
        "end_detail": fork.ending.detail if fork.ending else "",
        "attempts": ledger.attempts,
        "reconnects": fork.reconnects,
        "captured": sums.captured,
        "delivered": sums.delivered,
        "lost": sums.lost,
        "unsent_percent": round(ledger.unsent_share * 100, 1),
        "tracks": {name: _track(track) for name, track in ledger.tracks.items()},
    }
    if fork.capture_id is not None:
        shown["capture_id"] = fork.capture_id
    if request.bidirectional:
        shown["played"] = {
            "played_ms": round(ledger.played_ms),
            "refused_ms": round(ledger.refused_ms),
            "converted": ledger.converted,
            "malformed": ledger.malformed,
            "checkpoints": ledger.checkpoints,
            "clears": ledger.clears,
            "underruns": ledger.underruns,
            "digits": ledger.digits,
        }
        shown["turns"] = fork.turns
    if fork.roster:
        parts = (*fork.ended_children, *fork.children.values())
        shown["streams"] = [_stream(part, now) for part in parts]
        shown["older_streams"] = fork.older_children
    return shown


def _track(track: TrackLedger) -> dict[str, Any]:
    return {
        "captured": track.captured,
        "delivered": track.delivered,
        "lost": track.lost,
        "gaps": [{"from_ms": gap.from_ms, "to_ms": gap.to_ms} for gap in track.gaps],
        "more_gaps": track.more_gaps,
    }


def _moment(at: float | None) -> str | None:
    return None if at is None else moment(at)
