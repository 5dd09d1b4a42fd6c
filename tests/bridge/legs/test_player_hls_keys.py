"""Encrypted HLS as a participant: heard as it was before it was encrypted, and keys that nobody sees."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from bridge.legs.player_settings import PlayerSettings
from tests.kit.media_site import MediaSite, Page, hls_files, media_site
from tests.kit.players import LOUD, ended, heard_through, remote_house
from tests.kit.tones import tone

pytestmark = pytest.mark.wire

TONE_HZ = 700
FIRST, SECOND = b"0123456789abcdef", b"fedcba9876543210"
VECTOR = bytes(range(100, 116))
NUMBER = 70_000


@pytest.fixture
async def site() -> AsyncIterator[MediaSite]:
    async with media_site() as site:
        yield site


def encrypted(content: bytes, key: bytes, vector: bytes) -> bytes:
    padding = PKCS7(128).padder()
    encrypting = Cipher(AES(key), CBC(vector)).encryptor()
    return encrypting.update(padding.update(content) + padding.finalize()) + encrypting.finalize()


def number(at: int) -> bytes:
    return (NUMBER + at).to_bytes(16)


def publish(site: MediaSite, folder: Path, header: bool) -> None:
    """Four seconds; the key changes in the middle, and so does the way in which vectors are told."""
    options = {"hls_segment_type": "fmp4"} if header else {}
    hls_files(folder, tone(TONE_HZ, 4.0, 48_000, LOUD), **options)
    kind = "m4s" if header else "ts"
    segments = [(folder / f"index{n}.{kind}").read_bytes() for n in range(4)]
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{NUMBER}"]
    lines.append(f'#EXT-X-KEY:METHOD=AES-128,URI="keys/first?token=hush",IV=0x{VECTOR.hex()}')
    if header:
        lines.append('#EXT-X-MAP:URI="init.mp4"')
        site.pages["/init.mp4"] = Page(encrypted((folder / "index-init.mp4").read_bytes(), FIRST, VECTOR))
    for n, content in enumerate(segments):
        if n == 2:
            lines.append('#EXT-X-KEY:METHOD=AES-128,URI="keys/second"')
        key, vector = (FIRST, VECTOR) if n < 2 else (SECOND, number(n))
        site.pages[f"/{n}"] = Page(encrypted(content, key, vector))
        lines += ["#EXTINF:1,", str(n)]
    site.pages["/keys/first"], site.pages["/keys/second"] = Page(FIRST), Page(SECOND)
    site.pages["/index.m3u8"] = Page("\n".join([*lines, "#EXT-X-ENDLIST"]).encode())


@pytest.mark.parametrize("header", [False, True], ids=["ts", "fmp4"])
async def test_it_is_heard_without_a_seam_and_each_key_is_asked_for_once(
    site: MediaSite, tmp_path: Path, header: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    publish(site, tmp_path / "hls", header)
    async with remote_house() as house:
        heard = await heard_through(house, site.url("/index.m3u8"), TONE_HZ)
        sounding = np.flatnonzero(np.abs(heard) > 300)
        assert (sounding[-1] - sounding[0]) / 48_000 == pytest.approx(4.0, abs=0.06)
    assert [asked for asked in site.asked if "keys" in asked] == ["/keys/first?token=hush", "/keys/second"]
    for secret in (FIRST.decode(), SECOND.decode(), FIRST.hex(), "hush"):
        assert secret not in caplog.text


async def test_a_key_that_has_become_another_one_is_asked_for_again(site: MediaSite, tmp_path: Path) -> None:
    publish(site, tmp_path / "hls", header=False)
    answers = iter([Page(bytes(16)), Page(bytes(16))])
    site.pages["/keys/second"] = lambda: next(answers, Page(SECOND))
    async with remote_house() as house:
        await heard_through(house, site.url("/index.m3u8"), TONE_HZ)
    assert site.asked.count("/keys/second") == 3


async def test_a_key_that_never_fits_is_told_without_it(
    site: MediaSite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    publish(site, tmp_path / "hls", header=False)
    site.pages["/keys/first"] = Page(SECOND)
    async with remote_house(settings=PlayerSettings(first_attempts=1)) as house:
        await house.player(url=site.url("/index.m3u8"))
        assert await ended(house) == "a segment is not encrypted by the key that was named"
    assert SECOND.decode() not in caplog.text
