"""Plivo audio streams into conferences: who may, whose participant a call is, and the answer XML.

Words of that API stay in here. `accounts` checks signatures, `streams` is the WebSockets' door, `calls` keeps
the live calls, `answer` tells a phone number where to stream to. How the stream itself is written is the
leg's concern (`bridge.legs.plivo_wire`).
"""

from bridge.facades.plivo.accounts import PlivoAccounts
from bridge.facades.plivo.facade import PlivoFacade, PlivoSettings

__all__ = ["PlivoAccounts", "PlivoFacade", "PlivoSettings"]
