"""Bots that were broken on purpose, each tested by itself: what is wrong is named in all of its report."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import soundfile
from playwright.async_api import Browser, Page, expect

from bridge.harness.lateness import LateLimits
from bridge.harness.rules import RULES
from bridge.harness.run_command import FAILED, plan_run, run_test
from bridge.harness.thresholds import read_threshold
from tests.bridge.web.browser import open_page
from tests.kit import bots
from tests.kit.junit_xml import read_junit
from tests.kit.tones import tone

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PATIENT = LateLimits(late_s=1.0, worst_s=10.0)
"""Ten runs at once are no reason to call them invalid."""
ASK = "- say: question.wav"


@dataclass(frozen=True)
class Broken:
    """A bot, what its caller does, and what its report names."""

    bot: type[bots.Bot]
    steps: tuple[str, ...]
    rules: tuple[str, ...] = ()
    thresholds: tuple[str, ...] = ()
    """Those that it misses."""
    failures: tuple[str, ...] = ()
    """Beginnings of what its call failed for, apart from rules."""


BROKEN = {
    "late": Broken(
        bots.Late, (ASK, "- expect: {response_within: 400ms}", "- pause: 1.4s"),
        thresholds=("response_max<400ms",), failures=("step 2: the bot did not answer within 400ms",),
    ),
    "deaf": Broken(bots.Deaf, ("- pause: 500ms", ASK, "- pause: 10.4s"), ("unanswered",), ("responses>0",)),
    "never clearing": Broken(
        bots.NeverClearing, (ASK, "- barge_in: long.wav", "- pause: 2.5s"),
        ("not_yielded",), ("not_yielded<1", "barge_in_clear<1s", "barge_in<1s"),
    ),
    "clearing too much": Broken(
        bots.ClearingTooMuch, (ASK, "- pause: 2.4s"),
        ("cleared_without_cause", "clear_without_audio"), ("cleared_without_cause<1",),
    ),
    "wrong codec": Broken(bots.WrongCodec, (ASK, "- pause: 800ms"), ("wrong_codec", "never_heard")),
    "acknowledging early": Broken(
        bots.MarkingEarly, (ASK, "- pause: 1s"), ("checkpoint_without_audio",), ("acknowledgement_errors<1",)
    ),
    "acknowledging itself": Broken(
        bots.AcknowledgingItself, (ASK, "- pause: 1s"), ("acknowledged_itself",),
        ("acknowledgement_errors<1",),
    ),
    "talking over": Broken(
        bots.TalkingOver, ("- say: long.wav", "- pause: 1.5s"), ("talked_over",),
        ("talked_over<1", "overtalk<5%"),
    ),
    "closing mid-phrase": Broken(
        bots.ClosingMidPhrase, (ASK, "- wait_for_hang_up: 5s"), ("closed_mid_phrase",)
    ),
    "wrong JSON": Broken(
        bots.saying('{"event": "playAudio", "media": {"payload": 7}}', "{event: playAudio}"),
        (ASK, "- pause: 1s"), ("wrong_json", "not_json"),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    code: int
    summary: str
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return read


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def tested(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """All of them, at the same time."""
    folder = tmp_path_factory.mktemp("broken")
    for name, seconds in (("question", 0.3), ("long", 1.6)):
        sound = tone(bots.CALLER_HZ, seconds, 16_000).astype(np.int16)
        soundfile.write(folder / f"{name}.wav", sound, 16_000)

    async def test(name: str, broken: Broken) -> Outcome:
        scenario, said = folder / f"{name}.yaml", list[str]()
        scenario.write_text("\n".join(("steps:", *broken.steps)))
        asked = [read_threshold(text) for text in broken.thresholds]
        async with bots.listening(broken.bot) as url:
            plan = plan_run(url, scenario=scenario, thresholds=asked, limits=PATIENT)
            code = await run_test(plan, report=folder / name, progress=False, say=said.append)
        return Outcome(code, "\n".join(said), folder / name)

    done = await asyncio.gather(*(test(name, broken) for name, broken in BROKEN.items()))
    return dict(zip(BROKEN, done, strict=True))


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_bot_fails_and_the_terminal_names_what_is_wrong(
    tested: dict[str, Outcome], name: str
) -> None:
    broken, run = BROKEN[name], tested[name]
    assert run.code == FAILED, run.summary
    for rule in broken.rules:
        mark = "FAILED" if RULES[rule].fails else "noted "
        assert f"{mark}  {rule} × 1: {RULES[rule].text}" in run.summary
    for text in broken.thresholds:
        assert f"FAILED  {text}: " in run.summary
    for text in broken.failures:
        assert f"call 1: {text}" in run.summary
    assert run.summary.count(" × ") == len(broken.rules), run.summary  # and nothing else is
    if name.startswith("acknowledging"):
        assert "acknowledgement errors 1" in run.summary


@pytest.mark.parametrize("name", BROKEN)
async def test_its_report_for_programs_and_for_ci_names_it(tested: dict[str, Outcome], name: str) -> None:
    broken, report = BROKEN[name], tested[name].report
    (call,) = report["calls"]
    assert {*call["violations"], *call["conduct"]} == set(broken.rules)
    assert {**report["totals"]["violations"], **report["totals"]["conduct"]} == dict.fromkeys(broken.rules, 1)
    missed = [one["text"] for one in report["thresholds"] if not one["passed"]]
    assert missed == list(broken.thresholds)
    suite = read_junit((tested[name].folder / "junit.xml").read_bytes())
    cases = {case.get("name"): case for case in suite.findall("testcase")}
    failing = [rule for rule in broken.rules if RULES[rule].fails]
    failure = cases["call 1"].find("failure")
    for text in (*broken.failures, *failing):
        assert failure is not None and text in str(failure.text)
    assert (failure is not None) == bool(broken.failures or failing)
    for rule in broken.rules:
        assert f"{rule} × 1" in cases["call 1"].findtext("system-out", "")
    for text in broken.thresholds:
        assert cases[text].find("failure") is not None


@pytest.mark.parametrize("name", BROKEN)
async def test_its_page_names_it_and_shows_where_it_was(
    tested: dict[str, Outcome], browser: Browser, name: str
) -> None:
    broken, run = BROKEN[name], tested[name]
    watched = await open_page(browser, run.folder.as_uri())
    page = watched.page
    await page.goto((run.folder / "index.html").as_uri())
    await expect(page.get_by_role("heading", level=1)).to_have_text("Failed")
    await expect(page.locator(".opened .timeline")).to_be_visible()  # a single call is open from the start
    for rule in broken.rules:
        await look_for_rule(page, rule)
    for text in broken.thresholds:
        row = page.locator("#thresholds tr.missed", has=page.get_by_text(text, exact=True))
        await expect(row).to_have_count(1)
    for text in broken.failures:
        await expect(page.get_by_label("Why this call failed")).to_contain_text(text)
    if name.startswith("acknowledging"):
        acknowledgement = page.locator(".opened .facts > .bad", has_text="Acknowledgement")
        await expect(acknowledgement).to_contain_text("1 error")
        await expect(page.locator("#sums .bad", has_text="Acknowledgement errors")).to_have_count(1)
    await page.context.close()
    watched.assert_clean()


async def look_for_rule(page: Page, rule: str) -> None:
    """By its name and its meaning: over all calls, in the call, and among what happened in it."""
    name = page.get_by_text(rule, exact=True)
    text = RULES[rule].text.replace("`", "")
    over_all = page.locator("#violations li, #conduct li").filter(has=name)
    await expect(over_all).to_contain_text(text)
    await expect(page.locator(".opened .broken li").filter(has=name)).to_contain_text(text)
    if await page.locator(".opened details[open]").count() == 0:
        await page.locator(".opened summary").click()
    await expect(page.locator(".opened .events tr").filter(has=name)).to_have_count(1)
