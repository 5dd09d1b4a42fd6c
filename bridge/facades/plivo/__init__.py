"""Plivo audio streams into conferences, and out of them to services.

Words of that API stay in here. Inwards: `streams` is the WebSockets' door, `calls` keeps the live calls,
`answer` tells a phone number where to stream to. Outwards: `rest` is the stream API, `forks` begins and ends
streams, `callbacks` tells of them. `accounts` knows credentials and signatures. How a stream itself is
written is the legs' concern (`bridge.legs.plivo_wire`).
"""

from bridge.facades.plivo.accounts import PlivoAccounts
from bridge.facades.plivo.facade import Outgoing, PlivoFacade, PlivoSettings
from bridge.facades.plivo.fork_looks import ForkLooks
from bridge.facades.plivo.rest_wire import StreamDefaults

__all__ = ["ForkLooks", "Outgoing", "PlivoAccounts", "PlivoFacade", "PlivoSettings", "StreamDefaults"]
