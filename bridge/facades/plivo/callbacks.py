"""Status callbacks: what becomes of a stream, told to `status_callback_url` as Plivo tells it.

| event | what happened |
|---|---|
| `StartStream` | the service was reached |
| the same, with `redial` | it is back: `Reconnects` |
| `DegradedStream` | so much of what may be held waits: `Percent` |
| the same, with `redial` | the service is away and dialled again: `Percent`, `Reason`, `Detail` |
| `StopStream`, `DroppedStream` | the end, and nothing follows: `Reason`, `Detail` |

Fields of each: `Event`, `StreamID`, `CallUUID`, `From`, `To`, `Timestamp`, `ServiceURL`, `Name`; ours, beside
those above: `ParticipantID` (whom the service is, or whom it is a stream of), `ParentStreamID`. A form by
POST, or a query by GET; signed by the account, as Plivo signs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from bridge.facades.plivo.accounts import PlivoAccounts
from bridge.facades.plivo.fork import CONNECTION_ERROR, Fork, StatusEvent
from bridge.facades.webhooks import Webhook
from bridge.legs.plivo_signature_wire import FORM, as_asked, signing_headers, with_query

Send = Callable[[str, Webhook], bool]
"""Queues a callback behind the others of its stream."""


class Callbacks:
    """Makes callbacks and hands them on; waits for nothing."""

    def __init__(self, send: Send, accounts: PlivoAccounts, now: Callable[[], float]) -> None:
        self._send = send
        self._accounts = accounts
        self._now = now

    def started(self, fork: Fork) -> None:
        """The service was reached."""
        self._tell(StatusEvent.START, fork)

    def ended(self, fork: Fork) -> None:
        """It is over, as its `ending` says."""
        if fork.ending is None:
            return
        more = {"Reason": fork.ending.reason}
        if fork.ending.detail:
            more["Detail"] = fork.ending.detail
        self._tell(fork.ending.event, fork, more)

    def degraded(self, fork: Fork, percent: int) -> None:
        """So much of what may be held for the service is waiting."""
        self._tell(StatusEvent.DEGRADED, fork, {"Percent": str(percent)})

    def interrupted(self, fork: Fork, cause: str) -> None:
        """The service is away, and dialled again; what it misses is held."""
        held = {"Percent": str(round(fork.ledger.unsent_share * 100))}
        self._tell(StatusEvent.DEGRADED, fork, {**held, "Reason": CONNECTION_ERROR, "Detail": cause})

    def resumed(self, fork: Fork) -> None:
        """The service is back."""
        self._tell(StatusEvent.START, fork, {"Reconnects": str(fork.reconnects)})

    def _tell(self, event: StatusEvent, fork: Fork, more: Mapping[str, str] | None = None) -> None:
        request = fork.request
        if not request.status_url:
            return
        fields = fields_of(event, fork, self._now()) | dict(more or {})
        method, url, form = request.status_method, request.status_url, {}
        content = b""
        if method == "GET":
            url = with_query(url, fields)
        else:
            form = {name: [value] for name, value in fields.items()}
            content = urlencode(fields).encode()

        def sign() -> Mapping[str, str]:
            return signed(self._accounts, fork.auth_id, method, url, form)

        about = f"{event} of stream {fork.id}"
        self._send(fork.id, Webhook(method, url, content, FORM if content else "", sign, about))


def fields_of(event: StatusEvent, fork: Fork, now: float) -> dict[str, str]:
    """What every callback says."""
    fields = {
        "Event": event.value,
        "StreamID": fork.id,
        "CallUUID": fork.call_uuid,
        "From": fork.ends[0],
        "To": fork.ends[1],
        "Timestamp": moment(now),
        "ServiceURL": fork.request.service_url,
        "Name": fork.name,
    }
    participant_id = fork.bot_id or fork.participant_id
    if participant_id:
        fields["ParticipantID"] = participant_id
    if fork.parent is not None:
        fields["ParentStreamID"] = fork.parent.id
    return fields


def signed(
    accounts: PlivoAccounts, auth_id: str, method: str, url: str, form: Mapping[str, list[str]]
) -> dict[str, str]:
    """Headers of a request signed by an account; none when it is not configured any more."""
    account = accounts.account(auth_id)
    if account is None:
        return {}
    return signing_headers(account.auth_token.reveal(), method, as_asked(url), form)


def moment(at: float) -> str:
    """Unix seconds as Plivo writes times, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(" ", "seconds")
