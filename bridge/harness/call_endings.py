"""How calls end in the vendor's own words, and how these are told to a hang-up URL."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.harness.results import EndReason


@dataclass(frozen=True, slots=True)
class Ending:
    """A cause and who it came from. Source: Plivo, "Hangup causes and sources"."""

    code: int
    name: str
    source: str
    cause: str = "NORMAL_CLEARING"
    """As the telephone network says it."""

    def fields(self) -> dict[str, str]:
        """As a hang-up URL is told."""
        return {
            "HangupCause": self.cause,
            "HangupCauseCode": str(self.code),
            "HangupCauseName": self.name,
            "HangupSource": self.source,
        }


BY_CALLER = Ending(4000, "Normal Hangup", "Caller")
BY_REST = Ending(4000, "Normal Hangup", "API Request")
BY_XML = Ending(4000, "Normal Hangup", "Answer XML")
REJECTED = Ending(3020, "Rejected", "Answer XML", "CALL_REJECTED")
BUSY = Ending(3010, "Busy Line", "Answer XML", "USER_BUSY")
END_OF_XML = Ending(4010, "End Of XML Instructions", "Plivo")
SCHEDULED = Ending(6000, "Scheduled Hangup", "Plivo")
NO_ANSWER_URL = Ending(7011, "Error Reaching Answer URL", "Error", "SERVICE_UNAVAILABLE")
NO_REDIRECT_URL = Ending(7014, "Error Reaching Redirect URL", "Error", "SERVICE_UNAVAILABLE")
BAD_REDIRECT_URL = Ending(7024, "Invalid Redirect URL", "Error", "SERVICE_UNAVAILABLE")
BAD_ANSWER_XML = Ending(8011, "Invalid Answer XML", "Error", "SERVICE_UNAVAILABLE")
BAD_REDIRECT_XML = Ending(8014, "Invalid Redirect XML", "Error", "SERVICE_UNAVAILABLE")
BROKEN = frozenset((NO_ANSWER_URL, NO_REDIRECT_URL, BAD_REDIRECT_URL, BAD_ANSWER_XML, BAD_REDIRECT_XML))
"""The bot's web server is not as it should be."""


def ended_without_stream(ending: Ending) -> EndReason:
    """What a call was that never reached the bot's socket."""
    return "connect failed" if ending in BROKEN or ending is END_OF_XML else "bot hung up"
