from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from playwright.async_api import expect

from bridge.harness.capacity_results import CapacityResult, CapacityStep
from bridge.harness.results import Threshold
from tests.bridge.web.browser import DESKTOP, PHONE, overflow
from tests.kit.report_desk import Desk
from tests.kit.report_runs import HOSTILE, make_capacity

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

FOUND = make_capacity(report=True)
LATE = make_capacity(late=True)


async def test_steps_are_shown_with_what_broke_and_lead_to_their_reports(desk: Desk) -> None:
    page = await desk.open(FOUND)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Holds 65 calls")
    rows = page.locator("#steps tbody tr")
    await expect(rows).to_have_count(7)
    assert [text.split()[1] for text in await rows.locator(".named").all_inner_texts()] == [
        str(step.calls) for step in FOUND.steps
    ]
    broke = rows.nth(5)
    await expect(broke).to_contain_text("70 calls broke")
    await expect(broke).to_contain_text(FOUND.steps[5].because)
    await expect(broke.locator("td[data-name=Failed]")).to_have_text("7")
    await expect(broke.locator("td[data-name='p95']")).to_have_text("1,094 ms")
    link = await broke.get_by_role("link").get_attribute("href")
    assert link == "./steps/06%2070%20calls/index.html"


async def test_points_stand_at_their_calls_and_delays_and_invalid_ones_are_no_part_of_the_line(
    desk: Desk,
) -> None:
    page = await desk.open(LATE)
    chart = page.locator("#load svg").first
    points = await chart.locator("circle.p95").evaluate_all(
        """all => all.map((one) =>
            [Number(one.getAttribute('cx')), Number(one.getAttribute('cy')), one.className.baseVal])"""
    )
    steps = sorted(LATE.steps, key=lambda step: step.calls)
    assert len(points) == len(steps)
    (x0, y0, _), (x1, y1, _) = points[0], points[-1]
    for (x, y, kind), step in zip(points, steps, strict=True):
        share = (step.calls - steps[0].calls) / (steps[-1].calls - steps[0].calls)
        assert x == pytest.approx(x0 + share * (x1 - x0), abs=0.5)
        first, last, own = (float(one.response_p95_ms or 0) for one in (steps[0], steps[-1], step))
        assert y == pytest.approx(y0 + (own - first) / (last - first) * (y1 - y0), abs=0.5)
        assert kind.endswith("unknown") == (step.verdict == "harness late")
    line = await chart.locator("path.curve.p95").get_attribute("d")
    assert line is not None and len(re.findall("[ML]", line)) == len(steps) - 1
    await expect(page.locator("#steps tr.harness-late")).to_contain_text("harness late: invalid")
    await expect(page.locator("#load svg[aria-label^='Failed calls']")).to_have_count(1)


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "dark"), (PHONE, "light"), (PHONE, "dark")])
async def test_nothing_is_wider_than_its_window(desk: Desk, size: Any, scheme: str) -> None:
    step = replace(FOUND.steps[3], because="x" * 400)
    page = await desk.open(replace(FOUND, steps=[step, *FOUND.steps]), size, scheme)
    await expect(page.locator("#steps tbody tr")).to_have_count(8)
    assert await overflow(page) <= 0


async def test_hostile_texts_stay_texts(desk: Desk) -> None:
    steps = [
        CapacityStep(
            at + 1, "broke", text, 0.0, 1, 1, [Threshold(text, None, False)], None, None, None, None, 0, None,
            float("inf"), report=text,
        )
        for at, text in enumerate(HOSTILE)
    ]  # fmt: skip
    found = CapacityResult(
        HOSTILE[0], 0.0, 0, steps, "found", 0, 1, None, settings=dict.fromkeys(HOSTILE, "")
    )
    page = await desk.open(found)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Does not hold 1 call")
    assert await page.locator("script").count() == 2
    assert await page.locator("img").count() == 1
    assert await overflow(page) <= 0


async def test_a_search_without_a_step_is_a_report_too(desk: Desk) -> None:
    page = await desk.open(CapacityResult("wss://bot", 0.0, 0, [], "interrupted", 0, None, None))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Not known")
    await expect(page.locator("#steps")).to_contain_text("No step was made.")
