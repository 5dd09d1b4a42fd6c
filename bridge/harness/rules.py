"""What a voice bot can do wrong: rules of the protocol, and of talking with people, by name."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from bridge.harness.phone_playout import MAX_CHECKPOINTS
from bridge.legs.plivo_play_wire import UnknownEvent
from bridge.legs.plivo_wire import BadBase64, NotUnderstood, WireError


class OneWay(WireError):
    """A message from a service that may only listen."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, told as what breaking it means."""

    name: str
    text: str
    """For whoever wrote the bot."""
    fails: bool = True
    """Whether a call in which it is broken has failed; otherwise it is counted and shown."""
    acknowledges: bool = False
    """Whether it is about what was heard: a bot that breaks it takes sound for heard that was not."""


AHEAD_S = 60
"""More than this much sound ahead of the caller's ear is `too_fast`."""
MOST_AHEAD_S = 600
"""What would be further ahead is dropped."""
CAUSE_MS = 1_000
"""A clear comes for a caller who has spoken within this time."""

_PROTOCOL = (
    Rule("not_json", "A message is not JSON; it is dropped."),
    Rule("wrong_json", "An event without a field it needs, or with one of the wrong type; it is dropped."),
    Rule("one_way", "A message on a stream whose `<Stream>` is not bidirectional; nothing comes of it."),
    Rule("unknown_event", "An event that the protocol does not have; nothing comes of it."),
    Rule("binary_message", "A binary WebSocket message. Every message is text, with the audio in base64."),
    Rule("early_message", "A message before the stream has begun with `start`.", fails=False),
    Rule("bad_base64", "The payload of a `playAudio` is not base64; that audio is lost."),
    Rule("odd_length", "L16 has two bytes a sample, and a payload has an odd number; that audio is lost."),
    Rule("empty_payload", "A `playAudio` without audio in it.", fails=False),
    Rule("no_format", "A `playAudio` without `contentType` or `sampleRate`; the stream's own is assumed.",
         fails=False),
    Rule("wrong_codec", "A `playAudio` of another `contentType` than the stream's; nobody hears it."),
    Rule("wrong_rate", "A `playAudio` of another `sampleRate` than the stream's; nobody hears it."),
    Rule("too_fast", f"More than {AHEAD_S} s of audio were sent ahead of what the caller has heard."),
    Rule("queue_full", f"More than {MOST_AHEAD_S} s were sent ahead; what is beyond that is lost."),
    Rule("too_large", "A message of more than 16 MiB; the call is closed for it (1009)."),
    Rule("broken_frames", "WebSocket frames that break RFC 6455; the call is closed for it."),
    Rule("too_many_checkpoints", f"More than {MAX_CHECKPOINTS:,} checkpoints wait to be reached; those "
         "beyond are never acknowledged.", acknowledges=True),
    Rule("checkpoint_without_name", "A `checkpoint` without a name; it cannot be acknowledged.",
         acknowledges=True),
    Rule("checkpoint_name_reused", "A `checkpoint` of the same name as one that still waits: their "
         "acknowledgements cannot be told apart.", fails=False, acknowledges=True),
    Rule("checkpoint_without_audio", "A `checkpoint` with no audio since the one before, or since a clear: "
         "its acknowledgement comes early, and says nothing about what is played next.", fails=False,
         acknowledges=True),
    Rule("acknowledged_itself", "The bot sent `playedStream` or `clearedAudio` itself: they come to the bot, "
         "when the caller has heard it.", acknowledges=True),
    Rule("clear_without_audio", "`clearAudio` while nothing was queued.", fails=False),
    Rule("no_stream_id", "A `checkpoint` or `clearAudio` without `streamId`.", fails=False),
    Rule("wrong_stream_id", "A `checkpoint` or `clearAudio` that names another stream."),
    Rule("bad_digits", "`sendDTMF` with something that is no key of a telephone."),
    Rule("closed_mid_phrase", "The bot closed its socket while the caller was still hearing it."),
    Rule("slow_reading", "The bot does not read what it is sent: 40 s of audio wait, and the rest is lost."),
)  # fmt: skip
_CONDUCT = (
    Rule("never_heard", "The caller never heard the bot."),
    Rule("unanswered", "The caller waited 10 s for an answer, and none was heard."),
    Rule("not_yielded", "The caller spoke over the bot, and it still talked 3 s later.", fails=False),
    Rule("talked_over", "The bot began to talk while the caller was talking.", fails=False),
    Rule("cleared_without_cause", "The bot cut its own words short, though the caller had said nothing for a "
         f"second ({CAUSE_MS:,} ms).", fails=False),
)  # fmt: skip
PROTOCOL = {rule.name: rule for rule in _PROTOCOL}
"""Counted in `CallResult.violations`."""
CONDUCT = {rule.name: rule for rule in _CONDUCT}
"""Counted in `CallResult.conduct`."""
RULES = PROTOCOL | CONDUCT
ACKNOWLEDGEMENT = tuple(rule.name for rule in _PROTOCOL if rule.acknowledges)
"""Those that make acknowledgement errors."""
_ACKNOWLEDGEMENTS = ("playedStream", "clearedAudio")


def broken_by(message: bytes, why: Exception) -> str:
    """The name of the rule that a message breaks which could not be read."""
    match why:
        case OneWay():
            return "one_way"
        case UnknownEvent():
            read = msgspec.json.decode(message)
            return "acknowledged_itself" if read.get("event") in _ACKNOWLEDGEMENTS else "unknown_event"
        case BadBase64():
            return "bad_base64"
        case NotUnderstood():
            return _misshapen(message)
        case _:
            return "odd_length"


def _misshapen(message: bytes) -> str:
    try:
        read = msgspec.json.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "not_json"
    if isinstance(read, dict) and read.get("event") == "checkpoint" and not read.get("name"):
        return "checkpoint_without_name"
    return "wrong_json"
