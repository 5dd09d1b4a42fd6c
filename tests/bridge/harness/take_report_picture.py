"""`python -m tests.bridge.harness.take_report_picture`: report.png and capacity.png, of made-up runs."""

from __future__ import annotations

import asyncio
import io
import tempfile
from pathlib import Path

from PIL import Image

from bridge.harness import capacity_html
from bridge.harness.report_html import write
from tests.bridge.web.browser import chromium, open_page
from tests.kit.report_runs import make_capacity, make_run

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "screenshots"


async def main() -> None:
    run = make_run(60)
    call = next(call for call in run.calls if any(one.silence_ms is None for one in call.barge_ins))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        write(run, path)
        async with chromium() as browser:
            size = {"width": 1280, "height": 900}
            page = (await open_page(browser, path.as_uri(), size=size, scheme="light")).page  # type: ignore[arg-type]
            await page.goto(path.as_uri())
            await page.get_by_role("button", name="Show calls: the bot went on").click()
            await page.locator(f"[data-call='{call.number}'] .unfold").click()
            timeline = page.get_by_role("slider")
            await timeline.focus()
            for _ in range(sum(moment.at_ms <= call.barge_ins[0].at_ms for moment in call.timeline)):
                await page.keyboard.press("PageDown")
            await page.evaluate("document.activeElement.blur()")
            await asyncio.sleep(0.5)  # until it has its final height
            top = "part => part.scrollIntoView({ block: 'start', behavior: 'instant' })"
            await page.locator("#calls").evaluate(top)
            await asyncio.sleep(0.2)
            picture = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
            picture.save(FOLDER / "report.png", optimize=True)
            capacity_html.write(make_capacity(), path)
            await page.goto(path.as_uri())
            await asyncio.sleep(0.5)
            picture = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
    picture.save(FOLDER / "capacity.png", optimize=True)


if __name__ == "__main__":
    asyncio.run(main())
