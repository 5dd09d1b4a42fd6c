"""Everything behind Plivo's door, real but for the sockets and the database; ticks are the test's."""

from __future__ import annotations

import asyncio
import base64
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from bridge.core.mixbus import MixBus
from bridge.core.ports import CallStart, CallTrack
from bridge.core.settings import CoreSettings
from bridge.directory import Directory
from bridge.dispatch import Dispatch
from bridge.facades.plivo import PlivoAccounts, PlivoFacade, PlivoSettings, StreamDefaults
from bridge.legs.plivo_leg import PlivoLegs
from bridge.people import Actor, Conference, Participant
from bridge.secret import Secret
from bridge.sockets import Accept, Refuse, UpgradeRequest
from bridge.switchboard import Switchboard
from tests.kit.calls import CallSocket, a_call, start_of
from tests.kit.clock import ManualClock
from tests.kit.records import MemoryRecords

APP, OTHER_APP = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
APP_TOKEN, OTHER_TOKEN = "application-token", "other-token"
AUTH_ID, OTHER_AUTH_ID = "MAAAAAAAAAAAAAAAAAAA", "MABBBBBBBBBBBBBBBBBB"
AUTH_TOKEN, OTHER_AUTH_TOKEN = "plivo-auth-token", "other-auth-token"
BASE_URL = "https://bridge.example"


class KnownApplications:
    def authenticate(self, token: str) -> str | None:
        return {APP_TOKEN: APP, OTHER_TOKEN: OTHER_APP}.get(token)

    def only(self) -> str:
        return APP


@dataclass(frozen=True)
class Account:
    auth_token: Secret
    application: str
    auth_id: str = ""


def sign(url: str, auth_token: str = AUTH_TOKEN, nonce: str | None = None) -> dict[str, str]:
    """Headers of a signed GET of an address without a query, as the vendor's server would send them."""
    nonce = nonce or uuid.uuid4().hex
    digest = hmac.digest(auth_token.encode(), f"{url}.{nonce}".encode(), "sha256")
    return {
        "x-plivo-signature-v3": base64.b64encode(digest).decode(),
        "x-plivo-signature-v3-nonce": nonce,
    }


@dataclass
class PlivoHouse:
    """`await house.open()` first; `house.close()` at the end."""

    grace_s: float = 5.0
    public_base_url: str = BASE_URL
    captures: bool = False
    """Whether calls may be captured."""
    accounts: list[Account] = field(
        default_factory=lambda: [
            Account(Secret(AUTH_TOKEN), APP, AUTH_ID),
            Account(Secret(OTHER_AUTH_TOKEN), OTHER_APP, OTHER_AUTH_ID),
        ]
    )

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self.bus = MixBus(CoreSettings())
        self.dispatch = Dispatch()
        self.legs = PlivoLegs(now=lambda: self.clock.now)
        self.switchboard = Switchboard(self.bus, self.dispatch, {CallTrack: self.legs})
        self.directory = Directory(MemoryRecords(), self.switchboard)
        self.facade = PlivoFacade(
            self.directory,
            self.switchboard,
            KnownApplications(),
            PlivoAccounts(self.accounts, KnownApplications()),
            self.legs.new_link,
            PlivoSettings(
                public_base_url=self.public_base_url,
                grace_s=self.grace_s,
                streams=StreamDefaults(captures=self.captures),
            ),
        )
        self.conference: Conference

    async def open(self) -> PlivoHouse:
        await self.directory.load()
        self.conference = await self.directory.open_conference(APP, by=Actor.system())
        return self

    async def close(self) -> None:
        await self.switchboard.close()
        await self.facade.calls.close()
        await self.directory.close()

    @property
    def path(self) -> str:
        return f"/{APP}/{self.conference.id}/plivo"

    @property
    def url(self) -> str:
        return f"{BASE_URL}{self.path}"

    async def upgrade(self, target: str, headers: Mapping[str, str] | None = None) -> Accept | Refuse | None:
        raw_path, _, query = target.partition("?")
        return await self.facade.door(
            UpgradeRequest(unquote(raw_path), dict(parse_qsl(query)), target, headers or {}, "192.0.2.7")
        )

    async def ring(
        self,
        call: CallStart | None = None,
        target: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> CallSocket:
        """A call let in at the door (signed, if nothing is said of it) that has said `start`."""
        if target is None:
            target, headers = self.path, sign(self.url)
        accepted = await self.upgrade(target, headers)
        assert isinstance(accepted, Accept), accepted
        socket = CallSocket(accepted.receiver)
        socket.say(start_of(call or a_call()))
        await self.settle()
        return socket

    async def settle(self) -> None:
        """Lets everything happen that needs no time."""
        for _ in range(50):
            await asyncio.sleep(0)

    def people(self) -> dict[str, Participant]:
        return {person.name: person for person in self.directory.participants(self.conference)}

    async def tick(self, ticks: int = 1) -> None:
        for now in self.clock.ticks(ticks):
            self.dispatch.deliver_frames(self.bus.tick(now), False)
            await asyncio.sleep(0)
