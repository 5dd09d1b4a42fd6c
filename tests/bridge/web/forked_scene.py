"""The streams of the pictures: every state that one can be in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge.people import Participant
from tests.bridge.web.staged_streams import StagedStreams, gaps, playing, stream


def fork(streams: StagedStreams, conference_id: str, bot: Participant, people: Sequence[Participant]) -> None:
    """A bot that interprets, captions of everybody, a recorder, one being dialled, and one that was refused.

    The captions' second socket has broken, and the recorder of the second of `people` is far behind.
    """
    ada, phone, *_ = people
    interpreter = stream("bot", name="Interpreter", host="interpreter.example.com", bot_id=bot.id)
    parts = [stream(f"captions of {person.id}", person, track="participants") for person in people]
    parts[1] = replace(
        parts[1], state="interrupted", attempts=4, reconnects=1, waiting_ms=20_300, waiting_share=0.508,
        delivered=11_280, lost=55, gaps=gaps(3),
    )  # fmt: skip
    captions = stream(
        "captions", name="Captions", track="participants", roster=True, parts=parts,
        part_states={"connected": len(parts) - 1, "interrupted": 1}, waiting_ms=20_300, waiting_share=0.508,
        captured=49_400, delivered=48_327, lost=55,
    )  # fmt: skip
    recorder = stream(
        "recorder", phone, name="recorder.example.com", host="recorder.example.com:8443", track="both",
        format="µ-law 8 kHz", waiting_ms=37_200, waiting_share=0.93, captured=24_700, delivered=22_840,
    )  # fmt: skip
    mood = stream(
        "mood", ada, name="mood.example.com", host="mood.example.com", state="dialling", attempts=2,
        seconds=3, waiting_ms=3_000, waiting_share=0.075, captured=150, delivered=0,
    )  # fmt: skip
    refused = stream(
        "refused", ada, name="old-bot.example.com", host="old-bot.example.com", state="ended", seconds=6,
        end="Connection error: connect failed: HTTP 403", attempts=3, waiting_ms=0, captured=0, delivered=0,
    )  # fmt: skip
    for one in (replace(interpreter, play=playing(underruns=2)), captions, recorder, mood, refused):
        streams.add(conference_id, one)
