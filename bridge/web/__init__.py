"""The project's own pages: joining with a browser, and running the place. Nothing here carries media."""

from bridge.web.pages import WebPages
from bridge.web.ports import ServerFigures

__all__ = ["ServerFigures", "WebPages"]
