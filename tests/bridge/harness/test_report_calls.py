from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest
from playwright.async_api import expect

from tests.kit.report_desk import Desk, numbers
from tests.kit.report_runs import make_run

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

RUN = make_run(60)
FAILED = [call for call in RUN.calls if call.failures]


async def test_calls_are_filtered_by_what_became_of_them(desk: Desk) -> None:
    page = await desk.open(RUN)
    await page.locator("[data-shown=failed]").click()
    assert await numbers(page) == [call.number for call in FAILED]
    await expect(page.locator("#announce")).to_have_text(f"{len(FAILED)} calls shown")
    await page.locator("[data-shown=violations]").click()
    assert sorted(await numbers(page)) == [call.number for call in RUN.calls if call.violations]
    await page.locator("[data-shown=unheard]").click()
    early = [call.number for call in RUN.calls if "checkpoint_without_audio" in call.violations]
    assert early and sorted(await numbers(page)) == early
    await page.locator("[data-shown=all]").click()
    for end, count in Counter(call.end for call in RUN.calls).items():
        named = "bot hung up: by REST" if end == "bot hung up" else end
        await page.locator("#end-filter").select_option(f"{named} ({count})")
        about = [call.number for call in RUN.calls if call.end == end]
        assert sorted(await numbers(page)) == about[:25] if count <= 25 else count > 25
        await expect(page.locator("#calls header")).to_contain_text(f"{count} ")


async def test_calls_are_filtered_by_scenario_and_by_rule_together(desk: Desk) -> None:
    page = await desk.open(RUN)
    scenario = "interrupt the bot"
    of_it = sum(call.scenario == scenario for call in RUN.calls)
    await page.locator("#scenario-filter").select_option(f"{scenario} ({of_it})")
    broken = sum("wrong_rate" in call.violations for call in RUN.calls)
    await page.locator("#rule-filter").select_option(f"wrong_rate ({broken})")
    about = [call for call in RUN.calls if call.scenario == scenario and "wrong_rate" in call.violations]
    assert about and sorted(await numbers(page)) == [call.number for call in about]
    await page.locator("#rule-filter").select_option("Any or none")
    await page.locator("#scenario-filter").select_option("Any scenario")
    await expect(page.locator("#calls header")).to_contain_text("60 calls")


async def test_what_ended_calls_is_told_apart_and_leads_to_them(desk: Desk) -> None:
    page = await desk.open(RUN)
    hung_up = [call.number for call in RUN.calls if call.end == "bot hung up"]
    closed = [call.number for call in RUN.calls if call.end == "bot closed"]
    assert hung_up and closed
    for title, about in (("bot hung up: by REST", hung_up), ("bot closed", closed)):
        row = page.locator("#ends li", has=page.get_by_text(title, exact=True))
        await expect(row).to_contain_text(f"{len(about)} call")
        await row.get_by_role("button").click()
        assert sorted(await numbers(page)) == about
        assert set(await page.locator("tr.call td.ended > span").all_inner_texts()) == {title}


async def test_calls_are_found_by_their_words_from_anywhere_on_the_page(desk: Desk) -> None:
    page = await desk.open(RUN)
    await page.keyboard.press("/")
    await page.keyboard.type(RUN.calls[33].call_id[:13])
    assert await numbers(page) == [34]
    await page.get_by_label("Find").fill("nothing is called that")
    await expect(page.locator(".nothing")).to_have_text("No call is like that.")


async def test_a_reason_leads_to_the_calls_that_it_is_about(desk: Desk) -> None:
    page = await desk.open(RUN)
    (reason, times), *_ = Counter(re.sub(r" \d.*", "", call.failures[0]) for call in FAILED).most_common()
    about = [call.number for call in FAILED if call.failures[0].startswith(reason)]
    assert 1 < times == len(about) < len(FAILED)
    await page.get_by_role("button", name=f"Show calls: {reason}").click()
    assert await numbers(page) == about
    await expect(page.locator("#calls-title")).to_be_focused()
    await page.get_by_role("button", name="No longer only").click()
    await expect(page.locator("#calls header")).to_contain_text("60 calls")


async def test_the_slowest_come_first_when_asked_and_the_unanswered_before_them(desk: Desk) -> None:
    page = await desk.open(RUN)
    await page.get_by_label("Order").select_option("response")

    def slowness(number: int) -> tuple[int, int]:
        heard = [response.heard_ms for response in RUN.calls[number - 1].responses]
        return heard.count(None), max((ms for ms in heard if ms is not None), default=-1)

    listed = await numbers(page)
    everybody = sorted(
        (call.number for call in RUN.calls),
        key=lambda number: (-slowness(number)[0], -slowness(number)[1] * (not slowness(number)[0]), number),
    )
    assert listed == everybody[:25]
    await expect(page.locator("[aria-sort]")).to_have_text("Response")


async def test_a_thousand_calls_are_leafed_through(desk: Desk) -> None:
    few = make_run(40, hold_ms=20_000).calls
    calls = [replace(few[at % 40], number=at + 1, failures=[]) for at in range(1_000)]
    page = await desk.open(replace(RUN, calls=calls))
    assert await numbers(page) == list(range(1, 26))
    await page.get_by_role("button", name="Next").click()
    assert await numbers(page) == list(range(26, 51))
    await page.get_by_label("Find").fill("977")
    assert 977 in await numbers(page)
