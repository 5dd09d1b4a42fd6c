"""What the vendor says of a call in its requests to a bot's web server.

Source: Plivo, "XML request" and "Hangup causes and sources"; of calls that come in, `ALegUUID` and
`ALegRequestUUID` are "not present" ("Application").
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.harness.call_endings import Ending


@dataclass(frozen=True, slots=True)
class CallFields:
    """One call's; times in Unix seconds."""

    call_id: str
    auth_id: str
    from_number: str
    to_number: str
    started_at: float

    @property
    def ends(self) -> dict[str, str]:
        """Of every request."""
        return {
            "CallUUID": self.call_id,
            "From": self.from_number,
            "To": self.to_number,
            "Direction": "inbound",
        }

    def asking(self, status: str) -> dict[str, str]:
        """Of a request for XML, with the call's status."""
        return {
            **self.ends,
            "CallerName": self.from_number,
            "CallStatus": status,
            "Event": "StartApp",
            "ParentAuthID": self.auth_id,
            "SessionStart": _moment(self.started_at),
        }

    def ended(self, ending: Ending, answered_at: float | None) -> dict[str, str]:
        """Of the request to the hang-up URL, now; without `answered_at` the call was not picked up."""
        ended_at = time.time()
        seconds = 0 if answered_at is None else math.ceil(max(0.0, ended_at - answered_at))
        return {
            **self.asking("completed"),
            "Event": "Hangup",
            **ending.fields(),
            "Duration": str(seconds),
            "BillDuration": str(seconds),
            "StartTime": _moment(self.started_at),
            **({} if answered_at is None else {"AnswerTime": _moment(answered_at)}),
            "EndTime": _moment(ended_at),
        }


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
