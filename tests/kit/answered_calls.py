"""Calls to an `AnsweringBot`, as short as they can be."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from bridge.harness.account import Account
from bridge.harness.answer_course import AnswerSettings
from bridge.harness.bot_test import BotTest, RunPlan
from bridge.harness.exchange import ExchangeSettings
from bridge.harness.lateness import LateLimits
from bridge.harness.results import CallResult
from bridge.harness.run_command import plan_run
from tests.kit import bots
from tests.kit.answering_bots import AUTH_ID, AUTH_TOKEN, AnsweringBot
from tests.kit.tones import tone

PATIENT = LateLimits(late_s=1.0, worst_s=10.0)
"""Other tests' load is no reason to call a run of this one invalid."""
ACCOUNT = Account(AUTH_ID, AUTH_TOKEN)


def question(folder: Path) -> Path:
    """What callers say: 0.3 s of a tone, and a short silence."""
    path = folder / "question.wav"
    sound = np.concatenate((tone(bots.CALLER_HZ, 0.3, 16_000), np.zeros(800, np.float32)))
    soundfile.write(path, sound.astype(np.int16), 16_000)
    return path


def plan(
    bot: AnsweringBot, wav: Path, *, hold_s: float | None = None, calls: int = 1, **settings: Any
) -> RunPlan:
    """A run by the bot's answer URL, with its hang-up URL; `settings` of the answer."""
    answer = AnswerSettings(bot.url, **{"hangup_url": bot.web_url + "/hangup", **settings})
    return plan_run(
        bot.url, calls=calls, ramp_per_s=20, wav=wav, hold_s=hold_s, limits=PATIENT,
        exchange=ExchangeSettings(ACCOUNT, answer),
    )  # fmt: skip


async def one_call(bot: AnsweringBot, wav: Path, **settings: Any) -> CallResult:
    async with asyncio.timeout(30):
        run = await BotTest(plan(bot, wav, **settings)).run()
    return run.calls[0]


def moments(call: CallResult) -> list[tuple[str, str]]:
    """Its timeline, without the times."""
    return [(moment.kind, moment.text) for moment in call.timeline]


class Closing(bots.Bot):
    """Closes its socket when it has been heard."""

    async def hear(self, event: dict[str, Any]) -> None:
        await super().hear(event)
        if event["event"] == "playedStream":
            await self.socket.close(1000, "bye")
