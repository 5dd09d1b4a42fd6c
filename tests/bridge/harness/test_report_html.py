from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bridge.harness import capacity_html
from bridge.harness.page_frame import ASSETS, MAX_TEXT, PROJECT_STYLE
from bridge.harness.report_html import MAX_MOMENTS, SCRIPTS, pack_levels, page, verdict, write
from bridge.harness.results import CallResult, Moment, Response, RunResult, Threshold
from bridge.harness.thresholds import read_threshold
from tests.kit.report_runs import HOSTILE, hostile_run, make_capacity, make_run

pytestmark = pytest.mark.unit

RUN = make_run(12, hold_ms=20_000)
PAGES = pytest.mark.parametrize(
    "text",
    [page(RUN), page(hostile_run()), capacity_html.page(make_capacity(report=True))],
    ids=["plain", "hostile", "capacity"],
)
VOID = {"meta", "link", "img", "br", "hr", "input"}


@dataclass
class Read(HTMLParser):
    """A page as a browser takes it apart: elements, their attributes, and the texts in them."""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    open: list[str] = field(default_factory=list)
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    crossed: list[str] = field(default_factory=list)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]][-1] += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def attribute(self, tag: str, name: str) -> Iterator[str | None]:
        return (given[name] for kind, given in self.elements if kind == tag and name in given)


def read(text: str) -> Read:
    found = Read()
    found.feed(text)
    found.close()
    return found


def contents(text: str) -> dict[str, Any]:
    """What the page's script reads."""
    block = re.search(r'<script type="application/json" id="run">(.*?)</script>', text, re.DOTALL)
    assert block is not None
    found: dict[str, Any] = json.loads(block[1])
    return found


def unpack(packed: str) -> list[int]:
    return [-step for step in zlib.decompress(base64.b64decode(packed))]


@pytest.fixture(scope="module")
def hostile() -> str:
    return page(hostile_run())


def test_a_page_is_written_whole_and_the_same_for_the_same_run(tmp_path: Path) -> None:
    write(RUN, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text("utf-8")
    assert text == page(make_run(12, hold_ms=20_000))
    found = read(text)
    assert (found.open, found.crossed) == ([], [])
    assert found.texts["title"] == [f"Failed: {RUN.target}"]
    assert "%%" not in text.replace(found.texts["style"][0], "").replace(found.texts["script"][1], "")


@PAGES
def test_only_what_the_page_was_written_with_may_run_or_style(text: str) -> None:
    found = read(text)
    (policy,) = (
        given["content"]
        for tag, given in found.elements
        if tag == "meta" and given.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    (style,), (_, script) = found.texts["style"], found.texts["script"]
    for rule, part in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert rules.pop(rule) == f"'sha256-{digest}'"
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "media-src": "'self' file:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    # The policy counts from where it stands, so it stands before everything that it is about.
    tags = [tag for tag, _ in found.elements]
    assert tags.index("style") > tags.index("meta") + 1 > 1


@PAGES
def test_nothing_is_fetched_from_anywhere(text: str) -> None:
    found = read(text)
    for tag, given in found.elements:
        for name in ("src", "href", "srcset", "action", "poster", "data", "style", "onerror", "onclick"):
            value = given.get(name)
            assert value is None or value.startswith(("#", "data:image/svg+xml;base64,")), (tag, name, value)
    assert not re.search(
        r"url\(|@import|\bimport\b\s*[({*]", found.texts["style"][0] + found.texts["script"][1]
    )
    addresses = set(re.findall(r"\b(?:https?|wss?)://[^\s\"'`<]+", text)) - {RUN.target}
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, not a place


def test_what_bots_and_people_say_never_becomes_markup(hostile: str) -> None:
    plain, wild = read(page(RUN)), read(hostile)
    assert [tag for tag, _ in wild.elements] == [tag for tag, _ in plain.elements]
    assert (wild.open, wild.crossed, wild.comments) == ([], [], [])
    block = wild.texts["script"][0]
    assert not set("<>&\u2028\u2029") & set(block)
    assert block.isascii()


def test_what_bots_and_people_say_arrives_unchanged_but_for_its_length(hostile: str) -> None:
    told = contents(hostile)
    cut = [text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…" for text in HOSTILE]
    assert [call["scenario"] for call in told["calls"]][: len(HOSTILE)] == cut
    last = told["calls"][-1]
    assert last["failures"] == cut
    assert list(last["violations"]) == cut
    assert [text for _, _, text in last["timeline"]] == cut
    assert told["settings"] == dict(zip(cut, cut, strict=True))
    assert (told["target"], told["invalid_because"]) == (cut[0], cut[1])


def test_a_recording_lies_beside_the_page_whatever_it_is_called(hostile: str) -> None:
    names = [call.get("wav") for call in contents(hostile)["calls"]]
    assert len(names) == len(HOSTILE) + 1
    for name in names:
        assert re.fullmatch(r"\./[A-Za-z0-9_.~/%-]+", name), name
    call = replace(RUN.calls[0], wav="calls\\no. 1 #2?.wav")
    (told,) = contents(page(replace(RUN, calls=[call])))["calls"]
    assert told["wav"] == "./calls/no.%201%20%232%3F.wav"
    call = replace(call, wav="//bots.example/a.wav")
    (told,) = contents(page(replace(RUN, calls=[call])))["calls"]
    assert told["wav"] == "./bots.example/a.wav"


def test_levels_come_back_as_they_were() -> None:
    levels = [-127, -90, -1, 0, -23] * 300
    assert unpack(pack_levels(levels)) == levels
    assert unpack(pack_levels([5, -400])) == [0, -127]
    told = contents(page(RUN))["calls"]
    for call, one in zip(RUN.calls, told, strict=True):
        if call.caller_levels:
            assert unpack(one["caller"]) == call.caller_levels
            assert unpack(one["bot"]) == call.bot_levels


def test_a_minute_of_a_call_takes_few_bytes() -> None:
    run = make_run(40, hold_ms=60_000)
    assert len(page(run)) / sum(bool(call.bot_levels) for call in run.calls) < 12_000


def test_a_run_without_any_call_has_a_page() -> None:
    told = contents(page(RunResult("wss://bot", 0.0, 0, [])))
    assert (told["verdict"], told["calls"], told["thresholds"]) == ("passed", [], [])
    assert {(figure["n"], figure["p95"], figure["histogram"]) for figure in told["figures"]} == {
        (0, None, None)
    }


def test_figures_that_are_missing_or_no_numbers_are_null() -> None:
    call = CallResult(1, "id", "", float("nan"), 0, "connect failed", late_ms=float("inf"))
    run = RunResult("wss://bot", float("inf"), 0, [call], [Threshold("x<1", float("nan"), False)])
    told = contents(page(run))
    assert (told["started_at"], told["thresholds"][0]["value"]) == (None, None)
    assert (told["calls"][0]["started_at"], told["calls"][0]["late_ms"]) == (None, None)
    assert "connect_ms" not in told["calls"][0]


def test_the_verdict_says_invalid_before_all_else() -> None:
    passed = RunResult("t", 0.0, 0, [], [Threshold("a<1", 0.5, True)])
    assert verdict(passed) == "Passed"
    assert verdict(replace(passed, thresholds=[Threshold("a<1", 2, False)])) == "Failed"
    invalid = replace(passed, valid=False, invalid_because="312 ms late <b>")
    assert verdict(invalid) == "Invalid"
    text = page(invalid)
    assert contents(text)["verdict"] == "invalid"
    # Also for those whose browser runs no scripts.
    assert "<h1>Invalid</h1><p>312 ms late &lt;b&gt;" in text


def test_thresholds_are_told_with_their_unit() -> None:
    told = {"unit": "ms", "asked": 800.0, "never": False}
    run = replace(
        RUN, thresholds=[Threshold("response_p95<0.8s", 812.0, False), Threshold("odd", None, True)]
    )
    first, second = contents(page(run))["thresholds"]
    assert first == {"text": "response_p95<0.8s", "value": 812.0, "passed": False} | told
    told = {"unit": "", "asked": None, "never": False}
    assert second == {"text": "odd", "value": None, "passed": True} | told


def test_what_never_happened_is_told_from_what_was_never_due() -> None:
    call = replace(RUN.calls[0], responses=[Response(0, None, None)], barge_ins=[])
    texts = ("response_p95<1s", "barge_in_p95<1s")
    run = replace(RUN, calls=[call], thresholds=[read_threshold(text).judge([call]) for text in texts])
    response, barge_in = contents(page(run))["thresholds"]
    assert (response["value"], response["passed"], response["never"]) == (None, False, True)
    assert (barge_in["value"], barge_in["passed"], barge_in["never"]) == (None, False, False)


def test_a_timeline_without_end_is_cut_at_its_end() -> None:
    moments = [Moment(at, "mark") for at in range(MAX_MOMENTS + 7, 0, -1)]
    (told,) = contents(page(replace(RUN, calls=[replace(RUN.calls[0], timeline=moments)])))["calls"]
    assert (len(told["timeline"]), told["left_out"]) == (MAX_MOMENTS, 7)
    assert told["timeline"][0][0] == 1


def test_the_pages_own_parts_cannot_end_their_blocks() -> None:
    assert {*SCRIPTS, *capacity_html.SCRIPTS} == {file.name for file in ASSETS.glob("*.js")}
    for file in [*ASSETS.glob("*.js"), *ASSETS.glob("*.css"), PROJECT_STYLE]:
        text = file.read_text("utf-8").lower()
        assert not re.search(r"</(script|style)|<!--|<script", text), file.name
        assert not re.search(r"\b(inner|outer)html\b|insertadjacenthtml|\beval\b|document\.write", text), (
            file.name
        )
