from __future__ import annotations

import json

import pytest

from bridge.facades.plivo.names import callee_name, caller_name, name_header
from bridge.people import Actor
from bridge.sockets import Accept, Refuse
from tests.kit.plivo_house import (
    APP,
    APP_TOKEN,
    BASE_URL,
    OTHER_APP,
    OTHER_AUTH_TOKEN,
    OTHER_TOKEN,
    PlivoHouse,
    sign,
)

pytestmark = pytest.mark.unit


def status(outcome: Accept | Refuse | None) -> int:
    if isinstance(outcome, Refuse):
        assert json.loads(outcome.body)["status"] == outcome.status
        return outcome.status
    assert isinstance(outcome, Accept)
    return 101


async def test_other_paths_are_other_doors(house: PlivoHouse) -> None:
    for path in ("/", f"/{APP}/{house.conference.id}", house.path + "/answer", house.path + "/x"):
        assert await house.upgrade(path) is None


async def test_an_accepted_stream_is_a_media_socket_with_a_limit(house: PlivoHouse) -> None:
    accepted = await house.upgrade(f"{house.path}?access_token={APP_TOKEN}")
    assert isinstance(accepted, Accept)
    assert accepted.media
    assert accepted.max_message_bytes == 256 * 1024


async def test_who_is_let_in(house: PlivoHouse) -> None:
    _, token = await house.directory.add_participant(house.conference, by=Actor.system())
    elsewhere = await house.directory.open_conference(APP, by=Actor.system())
    _, stranger = await house.directory.add_participant(elsewhere, by=Actor.system())
    path = house.path
    assert status(await house.upgrade(f"{path}?access_token={token}")) == 101
    assert status(await house.upgrade(path, {"authorization": f"Bearer {token}"})) == 101
    assert status(await house.upgrade(path + "/", {"authorization": f"Bearer {APP_TOKEN}"})) == 101
    assert status(await house.upgrade(f"{path}?access_token={stranger}")) == 404
    assert status(await house.upgrade(f"{path}?access_token={OTHER_TOKEN}")) == 404
    assert status(await house.upgrade(f"{path}?access_token=wrong")) == 401
    assert status(await house.upgrade(f"{path}?stream_token=wrong")) == 401
    assert status(await house.upgrade(path)) == 401
    nowhere = f"/{APP}/nowhere/plivo?access_token={APP_TOKEN}"
    assert status(await house.upgrade(nowhere)) == 404
    other_app = f"/{OTHER_APP}/{house.conference.id}/plivo?access_token={OTHER_TOKEN}"
    assert status(await house.upgrade(other_app)) == 404


async def test_a_signature_of_the_right_account_lets_in_once(house: PlivoHouse) -> None:
    headers = sign(house.url)
    assert status(await house.upgrade(house.path, headers)) == 101
    assert status(await house.upgrade(house.path, headers)) == 401
    assert status(await house.upgrade(house.path, sign(house.url))) == 101


async def test_a_signature_for_ws_addresses_is_as_good(house: PlivoHouse) -> None:
    url = house.url.replace("https://", "wss://")
    assert status(await house.upgrade(house.path, sign(url))) == 101


async def test_a_signature_with_a_query_covers_it_sorted(house: PlivoHouse) -> None:
    assert status(await house.upgrade(f"{house.path}?b=2&a=1", sign(f"{house.url}?a=1&b=2"))) == 101
    assert status(await house.upgrade(f"{house.path}?b=3&a=1", sign(f"{house.url}?a=1&b=2"))) == 401


@pytest.mark.parametrize("auth_token", [OTHER_AUTH_TOKEN, "wrong", ""])
async def test_another_account_s_signature_lets_nobody_in(house: PlivoHouse, auth_token: str) -> None:
    assert status(await house.upgrade(house.path, sign(house.url, auth_token))) == 401


async def test_a_signed_request_for_a_conference_that_is_not_there_is_404_and_costs_no_nonce(
    house: PlivoHouse,
) -> None:
    headers = sign(f"{BASE_URL}/{APP}/later/plivo")
    assert status(await house.upgrade(f"/{APP}/later/plivo", headers)) == 404
    await house.directory.open_conference(APP, by=Actor.system(), conference_id="later")
    assert status(await house.upgrade(f"/{APP}/later/plivo", headers)) == 101


async def test_without_credentials_or_a_public_address_no_signature_is_right() -> None:
    for bare in (PlivoHouse(accounts=[]), PlivoHouse(public_base_url="")):
        house = await bare.open()
        assert status(await house.upgrade(house.path, sign(house.url))) == 401
        assert status(await house.upgrade(house.path, sign(house.path))) == 401
        assert status(await house.upgrade(house.path, sign(house.url, ""))) == 401
        await house.close()


async def test_an_account_without_an_application_belongs_to_the_only_one() -> None:
    from bridge.secret import Secret
    from tests.kit.plivo_house import AUTH_TOKEN, Account

    house = await PlivoHouse(accounts=[Account(Secret(AUTH_TOKEN), "")]).open()
    assert status(await house.upgrade(house.path, sign(house.url))) == 101
    await house.close()


async def test_while_draining_new_calls_are_sent_away_with_503(house: PlivoHouse) -> None:
    house.switchboard.draining = True
    outcome = await house.upgrade(f"{house.path}?access_token={APP_TOKEN}")
    assert status(outcome) == 503
    assert isinstance(outcome, Refuse)
    assert dict(outcome.headers)["Retry-After"] == "5"
    assert status(await house.upgrade(f"{house.path}?access_token=wrong")) == 401


@pytest.mark.parametrize(
    ("headers", "caller", "callee"),
    [
        ({}, "", ""),
        ({"name": "Ann"}, "Ann", ""),
        ({"X-PH-Name": "Ann", "From": "+1555"}, "Ann", ""),
        ({"X-PH-From": "+1555", "X-PH-To": "+1666"}, "+1555", "+1666"),
        ({"from": " +1555\n\x00 ", "to": "x" * 200}, "+1555", "x" * 100),
        ({"name": "\u202e\n"}, "", ""),
    ],
)
def test_names_come_from_the_headers(headers: dict[str, str], caller: str, callee: str) -> None:
    assert (caller_name(headers), callee_name(headers)) == (caller, callee)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("", ""),
        ("+1 (555)", "name=1555"),
        ("Zoë & Ann", "name=ZoAnn"),
        ("漢字", ""),
        ("x" * 900, "name=" + "x" * 507),
    ],
)
def test_names_fit_into_extra_headers(name: str, header: str) -> None:
    assert name_header(name) == header
    assert len(header) <= 512
