"""A small XML document as a tree, whoever wrote it. Pure.

Nothing is fetched and no entity is ever defined: a document type is refused where it begins (so there is
nothing to expand), and size, depth and number of elements are bounded before anything is made of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from bridge.legs.plivo_wire import WireError

MAX_BYTES = 100 * 1024
"""The vendor reads no longer documents ("XML request")."""
MAX_DEPTH = 8
MAX_ELEMENTS = 500


class BadAnswer(WireError):
    """What an answer URL gave cannot be carried out; the text says why, and holds no address."""

    figure = "bad_answer"


@dataclass(slots=True)
class XmlNode:
    """An element; `text` is all of its own, without what its children hold."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list[XmlNode] = field(default_factory=list)


def parse(document: bytes) -> XmlNode:
    """The root of `document`. Raises BadAnswer."""
    if len(document) > MAX_BYTES:
        raise BadAnswer(f"it is longer than {MAX_BYTES // 1024} KB")
    if not document.strip():
        raise BadAnswer("it is empty")
    top = XmlNode("", {})
    path, elements = [top], 0

    def refuse_type(*declaration: object) -> None:
        raise BadAnswer("it declares a document type, which no Plivo XML has")

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal elements
        elements += 1
        if len(path) > MAX_DEPTH or elements > MAX_ELEMENTS:
            raise BadAnswer("it has more elements, or more of them within each other, than any call can need")
        node = XmlNode(name, attributes)
        path[-1].children.append(node)
        path.append(node)

    def end(name: str) -> None:
        path.pop()

    def say(text: str) -> None:
        path[-1].text += text

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse_type
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, say
    try:
        parser.Parse(document, True)
    except expat.ExpatError as wrong:
        raise BadAnswer(f"it is not XML (line {wrong.lineno}, column {wrong.offset + 1})") from None
    except (ValueError, LookupError):
        raise BadAnswer("it is in an encoding that cannot be read") from None
    return top.children[0]
