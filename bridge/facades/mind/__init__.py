"""The Mind API: conferences, participants, sessions, messages and notifications in that vendor's dialect.

Words of that API stay in here. Order of things: `gate` lets in, `body_wire` reads, `*_calls` ask the verbs,
`resource_wire` writes, `notifications` tells what changed; `routes` puts them together.
"""

from bridge.facades.mind.cross_origin import CrossOrigin
from bridge.facades.mind.routes import MindFacade, MindSettings

__all__ = ["CrossOrigin", "MindFacade", "MindSettings"]
