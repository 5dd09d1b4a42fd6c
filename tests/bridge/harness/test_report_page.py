from __future__ import annotations

import re
import wave
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from bridge.harness.report_html import write
from bridge.harness.results import Moment
from bridge.harness.run_totals import totals
from tests.bridge.web.browser import PHONE, open_page, overflow
from tests.kit.report_desk import Desk, numbers, rows
from tests.kit.report_runs import HOSTILE, hostile_run, make_run, percentile

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

RUN = make_run(60)
FAILED = [call for call in RUN.calls if call.failures]


async def test_the_verdict_and_what_led_to_it_come_first(desk: Desk) -> None:
    page = await desk.open(RUN)
    assert FAILED
    await expect(page.get_by_role("heading", level=1)).to_have_text("Failed")
    await expect(page.locator(".judged")).to_contain_text(f"{len(FAILED)} of 60 calls failed.")
    missed = sum(not threshold.passed for threshold in RUN.thresholds)
    await expect(page.locator("#thresholds tbody tr.missed")).to_have_count(missed)
    for threshold in RUN.thresholds:
        await expect(page.locator("#thresholds")).to_contain_text(threshold.text)
    await expect(page.locator("#spread svg")).to_have_count(12)
    await expect(page.locator("#spread svg[aria-label^='Response heard']")).to_have_count(1)
    await expect(page.locator("#load svg")).to_have_count(2)
    assert (await numbers(page))[: len(FAILED)] == [call.number for call in FAILED]


async def test_a_run_that_proves_nothing_says_so_above_all(desk: Desk) -> None:
    run = replace(RUN, valid=False, invalid_because="The harness was 312 ms late.")
    page = await desk.open(run)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Invalid")
    await expect(page.locator(".judged li").first).to_have_text("The harness was 312 ms late.")


async def test_sums_and_percentiles_of_the_whole_run_are_shown(desk: Desk) -> None:
    page = await desk.open(RUN)
    sums = page.locator("#sums")

    async def told(name: str) -> str:
        return await sums.locator("dl > div", has=page.get_by_text(name, exact=True)).inner_text()

    of_all = totals(RUN.calls)
    assert of_all.acknowledgement_errors > 0 and of_all.gaps > 0
    assert str(of_all.acknowledgement_errors) in (await told("Acknowledgement errors")).split()
    assert f"{of_all.checkpoints_played} acknowledged, {of_all.checkpoints_cleared} cleared" in (
        await told("Checkpoints")
    )
    assert str(of_all.underruns) in (await told("Underruns")).split()
    assert f"{of_all.bytes_in / 1e6:.1f} MB" in await told("From the bot")
    heard = sorted(r.heard_ms for call in RUN.calls for r in call.responses if r.heard_ms is not None)
    row = page.locator("#figures tr", has_text="Response heard")
    cells = dict(
        zip(
            ("n", "Never", "Min", "p50", "p90", "p95", "p99", "Max"),
            await row.locator("td").all_inner_texts(),
            strict=True,
        )
    )
    assert (cells["Min"], cells["p99"]) == (
        f"{heard[0]} ms", f"{percentile([*map(float, heard)], 0.99):,.0f} ms"
    )  # fmt: skip


async def test_utterances_are_drawn_from_when_to_when_they_were(desk: Desk) -> None:
    call = replace(RUN.calls[0], caller_speech=[(1_000, 2_500)], bot_speech=[(500, 800), (2_000, 4_000)])
    page = await desk.open(replace(RUN, calls=[call]), then="#call-1")
    opened = page.locator(".opened")
    wide = float(await opened.locator(".scroller svg").get_attribute("width") or 0)
    per_ms = wide / call.duration_ms
    drawn = await opened.locator(".speech.bot").get_attribute("d")
    begins = [float(text) / per_ms for text in re.findall(r"M([\d.]+) ", drawn or "")]
    lasted = [float(text) / per_ms for text in re.findall(r"h([\d.]+)", drawn or "")]
    assert begins == pytest.approx([500, 2_000], abs=5)
    assert lasted == pytest.approx([300, 2_000], abs=5)
    over = opened.locator("rect.overtalk")
    await expect(over).to_have_count(1)
    assert float(await over.get_attribute("x") or 0) / per_ms == pytest.approx(2_000, abs=5)
    assert float(await over.get_attribute("width") or 0) / per_ms == pytest.approx(500, abs=5)


async def test_a_call_is_opened_read_and_closed_by_keyboard(desk: Desk) -> None:
    page = await desk.open(RUN)
    call = next(call for call in FAILED if call.timeline)
    first = page.locator(f"[data-call='{call.number}'] .unfold")
    await first.focus()
    await page.keyboard.press("Enter")
    await expect(first).to_have_attribute("aria-expanded", "true")
    call = FAILED[0]
    assert page.url.endswith(f"#call-{call.number}")
    await expect(page.get_by_role("list", name="Why this call failed")).to_contain_text(call.failures[0])

    timeline = page.get_by_role("slider")
    await timeline.focus()
    await page.keyboard.press("ArrowRight")
    await expect(timeline).to_have_attribute("aria-valuenow", "100")
    await page.keyboard.press("Home")
    await page.keyboard.press("PageDown")
    happened = [moment.at_ms for moment in call.timeline] + [response.asked_ms for response in call.responses]
    await expect(timeline).to_have_attribute("aria-valuenow", str(min(happened)))
    said = await timeline.get_attribute("aria-valuetext")
    assert said is not None and said.startswith(f"{min(happened) / 1000:.2f} s, caller ")
    assert "Checkpoint sent greeting" in said

    await page.keyboard.press("Escape")
    await expect(first).to_be_focused()
    await expect(page.get_by_role("slider")).to_have_count(0)


async def test_a_timeline_shows_who_spoke_and_what_was_between(desk: Desk) -> None:
    call = next(call for call in RUN.calls if call.barge_ins and call.barge_ins[0].silence_ms is not None)
    page = await desk.open(RUN, then=f"#call-{call.number}")
    opened = page.locator(".opened")
    await expect(opened.get_by_role("heading")).to_be_focused()
    for part in (".wave.caller", ".wave.bot", ".speech.caller", ".overtalk"):
        assert await opened.locator(f".scroller {part}").count() > 0, part
    answered = sum(response.heard_ms is not None for response in call.responses)
    await expect(opened.locator(".span:not(.barge)")).to_have_count(answered)
    stopped = sum(one.silence_ms is not None for one in call.barge_ins)
    await expect(opened.locator(".span.barge")).to_have_count(stopped)
    # Pointing at the middle of the barge-in tells what it was.
    await opened.locator(".span.barge").first.scroll_into_view_if_needed()
    box = await opened.locator(".span.barge").first.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 9)
    await expect(opened.locator(".readout")).to_contain_text("Barge-in: cleared after")

    wide = await opened.locator(".scroller svg").get_attribute("width")
    await opened.get_by_role("button", name="Zoom in").click()
    closer = await opened.locator(".scroller svg").get_attribute("width")
    assert wide is not None and closer is not None and int(closer) == 2 * int(wide)

    await opened.locator("summary").click()
    events = len(call.timeline) + len(call.responses) + len(call.barge_ins)
    await expect(opened.locator(".events tbody tr")).to_have_count(events)
    await opened.get_by_role("button", name="Next").click()
    await expect(page.locator(".opened")).to_have_count(1)
    assert not page.url.endswith(f"#call-{call.number}")


async def test_a_recording_beside_the_page_is_played_and_led_by_the_timeline(
    desk: Desk, tmp_path: Path
) -> None:
    call = replace(RUN.calls[0], wav="calls/no 1.wav")
    (tmp_path / "calls").mkdir()
    with wave.open(str(tmp_path / "calls" / "no 1.wav"), "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(8_000)
        sound.writeframes(b"\0" * 4 * 8_000 * 45)
    page = await desk.open(replace(RUN, calls=[call]), then="#call-1")
    audio = page.locator("audio")
    assert await audio.evaluate("audio => audio.play().then(() => audio.duration)") == 45
    await audio.evaluate("audio => audio.pause()")
    await page.get_by_role("slider").scroll_into_view_if_needed()
    box = await page.get_by_role("slider").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 30)
    middle = await audio.evaluate("audio => audio.currentTime")
    assert abs(middle - call.duration_ms / 2000) < 0.5
    # The space bar plays from there, and the cursor goes along.
    timeline = page.get_by_role("slider")
    await timeline.focus()
    before = float(await timeline.get_attribute("aria-valuenow") or 0)
    await page.keyboard.press("Space")
    await audio.evaluate(
        """(audio, until) => new Promise((done) => {
            audio.addEventListener("timeupdate", () => { if (audio.currentTime > until) done(); });
        })""",
        middle + 0.3,
    )
    await page.keyboard.press("Space")
    assert await audio.evaluate("audio => audio.paused")
    assert float(await timeline.get_attribute("aria-valuenow") or 0) > before + 250


async def test_hostile_texts_are_read_and_nothing_more(desk: Desk) -> None:
    page = await desk.open(hostile_run())
    await expect(page.get_by_role("heading", level=1)).to_have_text("Invalid")
    assert await page.locator("script").count() == 2
    assert await page.locator("img").count() == 1  # the project's own sign
    for number in range(len(HOSTILE)):
        await page.locator(".unfold").nth(number).click()
    for summary in await page.locator("summary").all():
        await summary.click()
    await expect(page.locator(".opened")).to_have_count(len(HOSTILE))
    await expect(page.locator(".opened").first).to_contain_text(HOSTILE[0])
    assert await page.locator("script").count() == 2
    assert await page.locator("img").count() == 1
    assert await overflow(page) <= 0


async def test_a_hole_in_the_pages_own_scripts_would_let_nothing_through(
    browser: Browser, tmp_path: Path
) -> None:
    write(RUN, tmp_path / "report.html")
    watched = await open_page(browser, tmp_path.as_uri())
    await watched.page.goto((tmp_path / "report.html").as_uri())
    tried = (
        "() => { try { document.body.innerHTML = '<b>'; return 'done' } catch (error) { return error.name } }"
    )
    assert await watched.page.evaluate(tried) == "TypeError"
    tried = """() => new Promise((done) => {
        document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
        document.body.append(Object.assign(document.createElement("img"), { src: "http://127.0.0.1:9/" }));
    })"""
    assert await watched.page.evaluate(tried) == "img-src"
    await watched.page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_shows_everything_without_scrolling_sideways(desk: Desk, scheme: str) -> None:
    loud = replace(RUN.calls[0], timeline=[Moment(20 * at, "mark", "x" * 80) for at in range(500)])
    page = await desk.open(replace(RUN, calls=[loud, *RUN.calls[1:]]), PHONE, scheme, "#call-1")
    await expect(page.get_by_role("slider")).to_be_visible()
    assert await overflow(page) <= 0


async def test_every_control_has_a_name(desk: Desk) -> None:
    page = await desk.open(RUN, then=f"#call-{FAILED[0].number}")
    await expect(page.get_by_role("slider")).to_be_visible()
    nameless = await page.evaluate(
        """[...document.querySelectorAll(
            "button:not([hidden]), input, select, a, [role=slider], [role=region], audio, svg[role=img]")]
        .filter((one) => !(one.textContent.trim() || one.ariaLabel || one.labels?.length))
        .map((one) => one.outerHTML)"""
    )
    assert nameless == []
    ids = await page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    named = "[aria-controls], [aria-labelledby], label[for]"
    asked = await page.evaluate(
        f"""[...document.querySelectorAll("{named}")].map((one) =>
        one.getAttribute("aria-controls") ?? one.getAttribute("aria-labelledby") ?? one.htmlFor)"""
    )
    assert set(asked) <= set(ids)


@pytest.mark.parametrize("calls", [0, 1])
async def test_next_to_nothing_is_a_report_too(desk: Desk, calls: int) -> None:
    page = await desk.open(make_run(calls))
    await expect(page.locator("#calls header")).to_contain_text(f"{calls} call")
    assert await rows(page).count() == calls


async def test_a_rule_that_fails_no_call_is_told_from_one_that_does(desk: Desk) -> None:
    noted = replace(
        RUN.calls[0],
        failures=[],
        violations={"no_stream_id": 3},
        timeline=[Moment(9, "violation", "no_stream_id")],
    )
    page = await desk.open(replace(RUN, calls=[noted]), then="#call-1")
    await expect(page.locator("#violations")).to_contain_text("Counted only: it fails no call.")
    await expect(page.locator("tr.call td.near[data-name=Violations]")).to_have_text("3")
    await expect(page.locator(".scroller .k-noted")).to_have_count(1)
    await expect(page.locator(".scroller .k-violation")).to_have_count(0)
    await expect(page.locator(".broken .fails")).to_have_count(0)


async def test_a_call_by_an_answer_url_shows_its_answer_and_what_of_it_was_not_carried_out(
    desk: Desk,
) -> None:
    answered = replace(
        RUN.calls[0],
        answer_ms=84.0,
        end="bot hung up",
        end_detail="by <Hangup schedule> in its XML, after 30 s",
        failures=[],
        remarks=["not carried out: <Record>", "not carried out: <Dial callerId>"],
        timeline=[
            Moment(0, "stream", "to wss://bots.example/stream"),
            Moment(900, "unsupported", "<Record>"),
            Moment(30_010, "callback", "the hang-up URL has taken the end of the call"),
        ],
    )
    later = replace(
        answered, number=2, end_detail="by <Hangup schedule> in its XML, after 45 s", answer_ms=91.0
    )
    page = await desk.open(replace(RUN, calls=[answered, later]), then="#call-1")
    opened = page.locator(".opened")
    await expect(opened.locator(".facts")).to_contain_text("Answer URL84 ms")
    await expect(opened.get_by_label("What the harness could not do")).to_contain_text("<Dial callerId>")
    await opened.locator("summary").click()
    row = opened.locator(".events tr", has_text="Callback")
    await expect(row).to_contain_text("the hang-up URL has taken the end of the call")
    await expect(opened.locator(".events tr", has_text="Not carried out")).to_contain_text("<Record>")
    # Over all calls: the answer's time, the elements by name, and ends that differ in a number are one.
    await expect(page.locator("#figures tr", has_text="Answer URL").locator("td").nth(0)).to_have_text("2")
    await expect(page.locator("#remarks li", has_text="<Record>")).to_contain_text("2 calls")
    await expect(page.locator("#ends li")).to_have_count(1)
    await expect(page.locator("#ends li")).to_contain_text("by <Hangup schedule> in its XML, after … s")
    await expect(page.locator("#ends li")).to_contain_text("2 calls")


async def test_a_replay_says_that_it_is_one_and_of_what(desk: Desk) -> None:
    settings = {"replayed": "call-0007.capture", "kept by": "simulated caller"}
    page = await desk.open(replace(RUN, target="replay of call-0007.capture", settings=settings))
    await expect(page.locator(".judged")).to_contain_text("Captured calls, measured again")
    await expect(page.locator(".about")).to_contain_text("call-0007.capture")


async def test_a_sheet_of_paper_has_everything_but_what_is_pressed(desk: Desk) -> None:
    page = await desk.open(RUN, then=f"#call-{FAILED[0].number}")
    await expect(page.get_by_role("slider")).to_be_visible()
    await page.emulate_media(media="print")
    await page.set_viewport_size({"width": 718, "height": 1_000})  # A4 between its margins, at 96 px an inch
    for hidden in (".top", ".tools", ".pager", ".opened .zooms", "#ends button"):
        assert not await page.locator(hidden).first.is_visible(), hidden
    for shown in ("#thresholds table", "#spread svg", ".opened .scroller svg", ".opened .facts"):
        assert await page.locator(shown).first.is_visible(), shown
    drawn = await page.locator(".opened .scroller svg").bounding_box()
    assert drawn is not None and drawn["x"] + drawn["width"] <= 718
    assert await overflow(page) <= 0


async def test_five_hundred_calls_make_a_page_of_no_more_elements_than_a_hundred_do(desk: Desk) -> None:
    counts = []
    for calls in (100, 500):
        page = await desk.open(make_run(calls, hold_ms=60_000))
        await expect(page.locator("#calls header")).to_contain_text(f"{calls} calls")
        await expect(rows(page)).to_have_count(25)
        counts.append(await page.locator("*").count())
    assert counts[1] < 1.2 * counts[0] < 6_000
