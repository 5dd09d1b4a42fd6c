from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile
from websockets.asyncio.server import ServerConnection

from bridge.harness import serving
from bridge.harness.call_command import FAILED, OK, WRONG_USE, run_call
from tests.kit.echo_service import EchoService
from tests.kit.tones import level_of, tone

pytestmark = pytest.mark.e2e


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "say.wav"
    soundfile.write(path, tone(440, 0.6, 44_100).astype(np.int16), 44_100)
    return path


async def test_a_call_streams_the_file_and_records_the_answer(
    wav: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "heard.wav"
    async with serving(EchoService().handle) as url:
        assert await run_call(url, wav=wav, codec="l16-8k", record=record) == OK
    heard, rate_hz = soundfile.read(record, dtype="int16")
    assert rate_hz == 8000
    assert 8000 * 1.5 < len(heard) < 8000 * 2.2
    # A busy machine may hold up a frame here or there; some stretch of 200 ms comes back as it was sent.
    levels = [level_of(heard[at : at + 1_600], 8000, 440) for at in range(0, len(heard) - 1_600, 800)]
    assert max(levels) == pytest.approx(8000, rel=0.05)
    assert "longest backlog" in capsys.readouterr().err


async def test_a_looped_call_lasts_as_long_as_asked(wav: Path, tmp_path: Path) -> None:
    record = tmp_path / "heard.wav"
    async with serving(EchoService().handle) as url, asyncio.timeout(10):
        code = await run_call(url, wav=wav, record=record, loop=True, seconds=1.5, progress=False)
    assert code == OK
    heard, rate_hz = soundfile.read(record, dtype="int16")
    assert len(heard) == pytest.approx(rate_hz * 1.5, abs=1600)
    assert level_of(heard[-8000:], rate_hz, 440) > 4000


async def test_an_interrupted_call_keeps_what_was_recorded(wav: Path, tmp_path: Path) -> None:
    record = tmp_path / "heard.wav"
    echo = EchoService()
    async with serving(echo.handle) as url, asyncio.timeout(10):
        calling = asyncio.create_task(run_call(url, wav=wav, record=record, loop=True, progress=False))
        await echo.half_a_second.wait()
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
    assert len(soundfile.read(record)[0]) >= 24 * 320


async def test_progress_is_shown_and_the_query_is_not(
    wav: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    async with serving(EchoService().handle) as url:
        assert await run_call(url + "?access_token=s3cret", wav=wav) == OK
    shown = capsys.readouterr().err
    assert "\r00:00  says ██" in shown
    assert "backlog" in shown
    assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("url", "file", "codec", "record", "why"),
    [
        ("http://127.0.0.1:1", "say.wav", "l16-8k", None, "ws://"),
        ("ws://127.0.0.1:1", "none.wav", "l16-8k", None, "no file"),
        ("ws://127.0.0.1:1", "say.wav", "opus", None, "l16-16k"),
        ("ws://127.0.0.1:1", "say.wav", "l16-8k", "no/such/folder/x.wav", "cannot write"),
    ],
)
async def test_what_cannot_be_tried_is_wrong_use(
    wav: Path,
    url: str,
    file: str,
    codec: str,
    record: str | None,
    why: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recording = wav.parent / record if record else None
    assert await run_call(url, wav=wav.parent / file, codec=codec, record=recording) == WRONG_USE
    assert why in capsys.readouterr().err


async def test_a_service_that_is_not_there_or_ends_the_call_badly_is_a_failure(
    wav: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def leave(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.close(1011, "broken")

    async def say_goodbye(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.close(1000)

    async with serving(leave) as address:
        url = f"{address}?access_token=s3cret"
        assert await run_call(url, wav=wav) == FAILED
        assert "1011 broken" in capsys.readouterr().err
    assert await run_call(url, wav=wav) == FAILED
    shown = capsys.readouterr().err
    assert "cannot connect" in shown
    assert "s3cret" not in shown
    async with serving(say_goodbye) as url:
        assert await run_call(url, wav=wav, loop=True) == OK


async def test_what_went_wrong_can_be_told_elsewhere(wav: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def restart(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.close(1012, "restart")

    told: list[str] = []
    async with serving(restart) as url:
        assert await run_call(url, wav=wav, loop=True, progress=False, complain=told.append) == FAILED
    assert told == ["the service ended the call with 1012 restart"]
    assert capsys.readouterr().err == ""
