"""What is done with an answer's elements, in which order, and where it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from bridge.harness.answer_course import MAX_REDIRECTS, AnswerCourse, AnswerSettings, CourseOver
from bridge.harness.call_endings import (
    BAD_ANSWER_XML,
    BAD_REDIRECT_URL,
    BAD_REDIRECT_XML,
    BROKEN,
    BUSY,
    BY_XML,
    END_OF_XML,
    NO_ANSWER_URL,
    NO_REDIRECT_URL,
    REJECTED,
    Ending,
    ended_without_stream,
)
from bridge.harness.webhooks import WebhookFailed
from bridge.legs.plivo_answer_wire import StreamElement

pytestmark = pytest.mark.unit

STREAM = '<Stream bidirectional="true" keepCallAlive="true">wss://bot.example/s</Stream>'
ANSWER, FALLBACK = "https://bot.example/answer", "https://bot.example/fallback"


class Web:
    """A bot's web server, by address: what stands between `<Response>` and its end, or bytes as they are."""

    def __init__(self, pages: Mapping[str, str | bytes]) -> None:
        self.pages = pages
        self.asked: list[tuple[str, str, str]] = []

    async def ask(self, method: str, url: str, fields: Mapping[str, str]) -> bytes:
        self.asked.append((method, url, fields["CallStatus"]))
        page = self.pages.get(url)
        if page is None:
            raise WebhookFailed(f"{url} answered 404")
        return page if isinstance(page, bytes) else f"<Response>{page}</Response>".encode()


class Course(AnswerCourse):
    def __init__(self, answer: str | bytes | None, fallback_url: str = "", **pages: str | bytes) -> None:
        known = {f"https://bot.example/{name}": page for name, page in pages.items()}
        self.web = Web(known if answer is None else {ANSWER: answer} | known)
        self.happened: list[str] = []
        super().__init__(
            self.web, AnswerSettings(ANSWER, fallback_url=fallback_url), lambda now: {"CallStatus": now},
            note=lambda kind, text: self.happened.append(f"{kind}: {text}"),
            remark=lambda text: self.happened.append(text),
            schedule=lambda in_s: self.happened.append(f"scheduled in {in_s:g} s"),
            sleep=self.wait,
        )  # fmt: skip

    async def wait(self, seconds: float) -> None:
        self.happened.append(f"waited {seconds:g} s")

    async def over(self) -> CourseOver:
        with pytest.raises(CourseOver) as over:
            await self.to_stream()
        return over.value


async def test_elements_are_carried_out_in_order_up_to_the_stream_and_after_it() -> None:
    course = Course(f'<Wait length="3"/><Hangup schedule="60"/>{STREAM}<Wait/><Hangup/>')
    stream = await course.to_stream()
    assert isinstance(stream, StreamElement) and stream.alone
    assert course.happened == ["waited 3 s", "scheduled in 60 s"]
    assert course.web.asked == [("POST", ANSWER, "ringing")]
    assert course.answered_at is not None and course.answer_s is not None
    over = await course.rest()
    assert (over.ending, over.how) == (BY_XML, "by <Hangup> in its XML")
    assert course.happened[2:] == ["waited 1 s"]


async def test_xml_that_comes_to_its_end_ends_the_call() -> None:
    course = Course(STREAM)
    await course.to_stream()
    assert course.over
    over = await course.rest()
    assert (over.ending, over.how) == (END_OF_XML, "its XML was over")


@pytest.mark.parametrize(
    ("xml", "ending"),
    [
        ("<Hangup/>", REJECTED),
        ('<Hangup reason="rejected"/>', REJECTED),
        ('<Hangup reason="busy"/>', BUSY),
        ('<Wait/><Hangup reason="busy"/>', BUSY),
        ("<Wait/><Hangup/>", BY_XML),
        ('<Speak>No</Speak><Hangup reason="busy"/>', BY_XML),
    ],
)
async def test_a_hang_up_before_any_stream(xml: str, ending: Ending) -> None:
    over = await Course(xml).over()
    assert over.ending is ending and "<Hangup>" in over.how
    assert ended_without_stream(over.ending) == "bot hung up"


@pytest.mark.parametrize("xml", ["", "<Speak>Hello</Speak>", "<Wait/>"])
async def test_an_answer_without_a_stream_says_so(xml: str) -> None:
    over = await Course(xml).over()
    assert (over.ending, over.how) == (END_OF_XML, "the answer has no <Stream> that is reached")
    assert ended_without_stream(over.ending) == "connect failed"


async def test_a_redirection_replaces_what_is_left() -> None:
    course = Course(
        "<Redirect method='get'>https://bot.example/next?token=s3cret</Redirect><Hangup/>",
        **{"next?token=s3cret": STREAM + STREAM},
    )
    await course.to_stream()
    assert course.web.asked[1] == ("GET", "https://bot.example/next?token=s3cret", "ringing")
    assert course.happened == ["redirected: https://bot.example/next"]
    await course.rest()
    assert course.happened[1:] == [
        "unsupported: a second <Stream> in one call", "not carried out: a second <Stream> in one call",
    ]  # fmt: skip


async def test_redirections_in_a_circle_end_the_call() -> None:
    course = Course(
        "<Redirect>https://bot.example/a</Redirect>", a="<Redirect>https://bot.example/a</Redirect>"
    )
    over = await course.over()
    assert (over.ending, over.how) == (BAD_REDIRECT_URL, "the call was redirected more than 10 times")
    assert len(course.web.asked) == 1 + MAX_REDIRECTS


@pytest.mark.parametrize(
    ("target", "ending", "text"),
    [
        ("", BAD_REDIRECT_URL, "<Redirect> holds no address"),
        ("/next", BAD_REDIRECT_URL, "<Redirect> holds no address"),
        ("file:///etc/passwd", BAD_REDIRECT_URL, "<Redirect> holds no address"),
        ("https://bot.example/gone", NO_REDIRECT_URL, "<Redirect>: https://bot.example/gone answered 404"),
        (
            "https://bot.example/json",
            BAD_REDIRECT_XML,
            "what the <Redirect> gave cannot be used: it is not XML",
        ),
    ],
)
async def test_redirections_that_lead_nowhere(target: str, ending: Ending, text: str) -> None:
    over = await Course(f"<Redirect>{target}</Redirect>", json=b"{}").over()
    assert over.ending is ending and over.how.startswith(text)
    assert ending in BROKEN and ended_without_stream(ending) == "connect failed"


async def test_waits_have_an_end() -> None:
    course = Course('<Wait length="500"/><Wait length="999999999"/><Wait length="5"/>' + STREAM)
    await course.to_stream()
    assert course.happened == [
        "waited 500 s", "<Wait> is cut short: a call waits 600 s at most", "waited 100 s",
        "<Wait> is cut short: a call waits 600 s at most", "waited 0 s",
    ]  # fmt: skip


async def test_elements_that_would_last_do_so_next_to_a_stream_until_it_has_ended() -> None:
    course = Course(f"<Speak>Hi</Speak>{STREAM}<Message>x</Message><Dial/><Foo/>")
    await course.to_stream()
    assert course.happened == ["unsupported: <Speak>", "not carried out: <Speak>"]
    rest = asyncio.create_task(course.rest())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not rest.done() and course.happened[-1] == "not carried out: <Dial>"
    course.stream_over.set()
    assert (await rest).ending is END_OF_XML
    assert course.happened[-1] == "not carried out: <Foo>, and no element of Plivo's"


async def test_an_answer_url_that_gives_nothing_is_told_from_one_that_gives_nonsense() -> None:
    over = await Course(None).over()
    assert (over.ending, over.how) == (NO_ANSWER_URL, f"answer URL: {ANSWER} answered 404")
    over = await Course(b"<html/>").over()
    assert over.ending is BAD_ANSWER_XML
    assert over.how == "what the answer URL gave cannot be used: its root is <html>, not <Response>"


async def test_a_fallback_is_asked_once_the_answer_is_useless() -> None:
    course = Course(b"oops", fallback_url=FALLBACK, fallback=STREAM)
    await course.to_stream()
    assert [url for _, url, _ in course.web.asked] == [ANSWER, FALLBACK]
    assert course.happened[0] == "fallback: it is not XML (line 1, column 1)"
    over = await Course(None, fallback_url=FALLBACK).over()
    assert (over.ending, over.how) == (NO_ANSWER_URL, f"fallback URL: {FALLBACK} answered 404")


def test_settings_hold_their_addresses_back() -> None:
    settings = AnswerSettings(
        "https://h/?s3cret", fallback_url="https://h/?s3cret", hangup_url="https://h/?s3cret"
    )
    assert "s3cret" not in repr(settings)
