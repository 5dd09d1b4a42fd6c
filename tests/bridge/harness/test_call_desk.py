"""The REST API of simulated calls, asked without a socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bridge.errors import ConfigError
from bridge.harness.account import Account
from bridge.harness.call_desk import CallDesk, DeskCall
from bridge.harness.desk_server import serving

pytestmark = pytest.mark.wire

AUTH = ("MATESTAUTHID12345678", "t0k3n")
CALL_ID, STREAM_ID = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
BASE = f"/v1/Account/{AUTH[0]}"


class Desk:
    def __init__(self, account: Account) -> None:
        self.happened: list[str] = []
        self.streaming = True
        self.desk = CallDesk(account)
        self.call = DeskCall(
            CALL_ID, STREAM_ID, lambda: self.happened.append("hung up"), self.stop_stream,
            lambda what: self.happened.append(what), "15555550101", "15555550100", 1_700_000_000.0,
        )  # fmt: skip
        self.auth: tuple[str, str] | None = AUTH

    def stop_stream(self) -> bool:
        was, self.streaming = self.streaming, False
        return was

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.desk.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://desk", auth=self.auth) as http:
            return await http.request(method, path, **options)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk(Account(*AUTH))
    with desk.desk.holding(desk.call):
        yield desk


@pytest.mark.parametrize("end", ["/", ""])
async def test_a_call_is_hung_up(desk: Desk, end: str) -> None:
    response = await desk.ask("DELETE", f"{BASE}/Call/{CALL_ID}{end}", json={"call_uuid": CALL_ID})
    assert (response.status_code, response.content) == (204, b"")
    assert desk.happened == ["hung up"]


async def test_a_call_that_is_over_is_not_there(desk: Desk) -> None:
    other = Desk(Account(*AUTH))
    with other.desk.holding(other.call):
        assert (await other.ask("DELETE", f"{BASE}/Call/{CALL_ID}/")).status_code == 204
    for method in ("GET", "DELETE", "POST"):
        response = await other.ask(method, f"{BASE}/Call/{CALL_ID}/")
        assert response.status_code == 404
        assert set(response.json()) == {"api_id", "error"} and response.json()["error"] == "call not found"


async def test_a_live_call_is_shown_in_the_vendor_s_shape(desk: Desk) -> None:
    shown = (await desk.ask("GET", f"{BASE}/Call/{CALL_ID.upper()}/?status=live")).json()
    assert shown.pop("api_id")
    assert shown == {
        "call_status": "in-progress", "call_uuid": CALL_ID, "caller_name": "15555550101",
        "direction": "inbound", "from": "15555550101", "request_uuid": CALL_ID,
        "session_start": "2023-11-14 22:13:20+00:00", "stir_verification": "Not Verified",
        "to": "15555550100",
    }  # fmt: skip
    listed = (await desk.ask("GET", f"{BASE}/Call/?status=live")).json()
    assert listed["calls"] == [CALL_ID]
    assert (await desk.ask("GET", f"{BASE}/Call/?status=queued")).json()["calls"] == []


@pytest.mark.parametrize("path", ["Stream/", f"Stream/{STREAM_ID}/", f"Stream/{STREAM_ID}"])
async def test_a_stream_is_stopped_once(desk: Desk, path: str) -> None:
    assert (await desk.ask("DELETE", f"{BASE}/Call/{CALL_ID}/{path}")).status_code == 204
    again = await desk.ask("DELETE", f"{BASE}/Call/{CALL_ID}/{path}")
    assert (again.status_code, again.json()["error"]) == (400, "No active stream found")


async def test_another_stream_s_id_stops_nothing(desk: Desk) -> None:
    assert (await desk.ask("DELETE", f"{BASE}/Call/{CALL_ID}/Stream/{CALL_ID}/")).status_code == 400
    assert desk.streaming


@pytest.mark.parametrize(
    "auth",
    [
        None,
        (AUTH[0], "wrong"),
        ("MAOTHER", AUTH[1]),
        (AUTH[0], ""),
        ("", ""),
    ],
)
async def test_who_does_not_say_the_account_and_its_token_is_not_let_in(
    desk: Desk, auth: tuple[str, str] | None
) -> None:
    desk.auth = auth
    for method, path in (("DELETE", f"Call/{CALL_ID}/"), ("GET", "Call/"), ("DELETE", "Call/x/Stream/")):
        response = await desk.ask(method, f"{BASE}/{path}")
        assert response.status_code == 401 and "Basic" in response.headers["WWW-Authenticate"]
    assert desk.happened == [] and desk.streaming


@pytest.mark.parametrize(
    "authorization", ["Basic", "Basic ???", "Bearer abc", "Basic " + "/" * 5, "Basic /w=="]
)
async def test_a_garbled_authorization_is_refused(desk: Desk, authorization: str) -> None:
    desk.auth = None
    response = await desk.ask("DELETE", f"{BASE}/Call/{CALL_ID}/", headers={"Authorization": authorization})
    assert response.status_code == 401


async def test_another_account_s_path_is_refused(desk: Desk) -> None:
    assert (await desk.ask("DELETE", f"/v1/Account/MAOTHER/Call/{CALL_ID}/")).status_code == 401


async def test_without_a_token_any_will_do_for_the_right_account() -> None:
    desk = Desk(Account(AUTH[0]))
    with desk.desk.holding(desk.call):
        assert (await desk.ask("DELETE", f"{BASE}/Call/{CALL_ID}/")).status_code == 204
        desk.auth = ("MAOTHER", "x")
        assert (await desk.ask("DELETE", f"{BASE}/Call/{CALL_ID}/")).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("POST", "", "transferring the call by REST"),
        ("POST", "Stream/", "starting a stream by REST"),
        ("GET", "Stream/", "looking at streams by REST"),
        ("POST", "Record/", "POST Call/…/Record/ by REST"),
        ("DELETE", "Play/", "DELETE Call/…/Play/ by REST"),
        ("POST", "Speak/", "POST Call/…/Speak/ by REST"),
    ],
)
async def test_what_is_not_served_is_named(desk: Desk, method: str, path: str, what: str) -> None:
    response = await desk.ask(method, f"{BASE}/Call/{CALL_ID}/{path}", json={"aleg_url": "x"})
    assert response.status_code == 405
    assert response.json()["error"] == f"{what} is not served by the test harness"
    assert desk.happened == [what]


async def test_a_call_cannot_be_made_at_the_desk(desk: Desk) -> None:
    assert (await desk.ask("POST", f"{BASE}/Call/", json={"to": "1"})).status_code == 405


async def test_the_desk_listens_while_it_is_needed() -> None:
    desk = Desk(Account(*AUTH))
    async with serving(desk.desk) as url, httpx.AsyncClient(auth=AUTH) as http:
        with desk.desk.holding(desk.call):
            assert (await http.delete(f"{url}{BASE}/Call/{CALL_ID}/")).status_code == 204
        port = int(url.rpartition(":")[2])
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1 port {port}: "):
            async with serving(desk.desk, port=port):
                pass
    with socket.socket() as after:
        assert after.connect_ex(("127.0.0.1", port)) != 0


async def test_a_host_that_is_none_of_this_machine_s_cannot_be_listened_on() -> None:
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1 port 0: "):
        async with serving(CallDesk(Account()), "192.0.2.1"):
            pass
    with pytest.raises(ConfigError, match=r"cannot listen on nobody\.invalid: "):
        async with serving(CallDesk(Account()), "nobody.invalid"):
            pass
