"""The house rules of docs/design.md, read off the source: who may import whom."""

from __future__ import annotations

import ast
import re
import sys

import pytest

from tests.kit.house_source import IMPORTS, MODULES, Import, imports_of, inside, own

pytestmark = pytest.mark.unit

# Room → what of the project it may import besides itself. A module that is in no room listed here belongs to
# the verbs in the middle of the house (switchboard, directory and their parts).
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "mediacodecs": (),
    "bridge.core": ("mediacodecs",),
    "bridge.legs": (
        "bridge.core.ports", "bridge.core.events", "bridge.errors", "bridge.sockets", "mediacodecs",
    ),
    # What RTMP says, for outputs that publish and for who plays it.
    "bridge.rtmp": ("bridge.errors",),
    "bridge.outputs": (
        "bridge.core.ports", "bridge.core.events", "bridge.background", "bridge.errors", "bridge.spread",
        "bridge.legs.capture_wire", "bridge.legs.capture_file_wire", "bridge.rtmp", "mediacodecs",
    ),
    "bridge.cluster": ("bridge.core.ports", "bridge.core.events", "bridge.errors"),
    # The pacer hands out what a tick gives; what connects to others asks the gate.
    "bridge.runtime": (
        "bridge.core.ports", "bridge.core.events", "bridge.core.mixbus", "bridge.egress.gate",
        "bridge.errors", "bridge.rtmp", "bridge.sockets", "mediacodecs",
    ),
    # The store writes down who exists, so it knows their shape.
    "bridge.store": ("bridge.people", "bridge.records", "bridge.errors", "mediacodecs"),
    # Clients from outside: they speak the same wire, and must not know the inside.
    "bridge.harness": (
        "bridge.errors", "bridge.core.ports", "bridge.turns.meter", "bridge.turns.report", "bridge.spread",
        "bridge.legs.plivo_wire", "bridge.legs.plivo_call_wire",
        "bridge.legs.plivo_play_wire", "bridge.legs.plivo_answer_wire", "bridge.legs.plivo_signature_wire",
        "bridge.legs.capture_wire", "bridge.legs.capture_file_wire",
        "mediacodecs",
    ),
}  # fmt: skip

# Pure modules that rooms next to each other share.
WIRES = re.compile(r"bridge\.legs\.\w+_wire")
SHARES_WIRES = ("bridge.harness.", "bridge.facades.", "bridge.outputs.", "bridge.replay")
SHARED_BY_FACADES = {"bridge.facades.signatures", "bridge.facades.webhooks"}

# Where requests come in, and what they must not reach around the verbs.
ENTRANCES = ("bridge.facades", "bridge.web")
BEHIND = (
    "bridge.legs",
    "bridge.outputs",
    "bridge.runtime",
    "bridge.store",
    "bridge.cluster",
    "bridge.harness",
)

# The composition root, and the command line in front of it.
ROOT_MODULES = {
    "bridge.app", "bridge.capture_parts", "bridge.http_parts", "bridge.output_parts", "bridge.part_settings",
    "bridge.player_parts", "bridge.readings", "bridge.storage_parts",
}  # fmt: skip
COMMANDS = {
    "bridge.__main__", "bridge.cli.capacity", "bridge.cli.capture", "bridge.cli.exchange", "bridge.cli.kinds",
    "bridge.cli.main", "bridge.cli.replay", "bridge.cli.test", "bridge.demo", "bridge.doctor.checks",
    "bridge.doctor.machine", "bridge.doctor.network", "bridge.doctor.outputs", "bridge.replay",
    "bridge.replay_mix",
}  # fmt: skip
DOCTORS = {"bridge.doctor.outputs"}
"""Look at what a room needs of the machine, with its own means."""
SETTINGS = {
    "bridge.config.checks", "bridge.config.kinds", "bridge.config.settings", "bridge.config.source",
    "bridge.config.tree",
}  # fmt: skip

# Third-party library → where its door is.
DOORS: dict[str, tuple[str, ...]] = {
    "aiortc": ("bridge.legs.webrtc", "bridge.legs.aiortc_seams"),
    "aioice": ("bridge.legs.webrtc", "bridge.legs.aiortc_seams"),
    "pylibsrtp": ("bridge.legs.webrtc", "bridge.legs.aiortc_seams"),
    "av": ("mediacodecs.libopus", "bridge.outputs", "bridge.doctor.outputs", "bridge.legs.demux"),
    "PIL": ("bridge.outputs",),
    "obstore": ("bridge.outputs.storage",),
    "cryptography": ("bridge.doctor.network", "bridge.legs.player_hls_keys", "bridge.outputs.storage_open"),
    "sqlalchemy": ("bridge.store",),
    "alembic": ("bridge.store",),
    "aiosqlite": ("bridge.store",),
    "asyncpg": ("bridge.store",),
    "websockets": ("bridge.runtime", "bridge.harness"),
    "uvicorn": ("bridge.runtime", "bridge.harness.desk_server"),
    "httptools": ("bridge.runtime",),
    "uvloop": ("bridge.runtime", "bridge.cli.main"),
    "fastapi": ("bridge.facades", "bridge.web", "bridge.http_parts"),
    "starlette": (
        "bridge.facades",
        "bridge.web",
        "bridge.http_parts",
        "bridge.request_body",
        "bridge.harness.call_desk",
    ),
    "prometheus_client": ("bridge.metrics",),
    "soundfile": ("bridge.harness", "bridge.outputs"),
    "yaml": ("bridge.harness.yaml_tree",),
    "httpx": ("bridge.demo", "bridge.harness"),
    "httpcore": ("bridge.runtime.http_out",),
    "certifi": ("bridge.runtime.tls_out",),
    "idna": ("bridge.egress.gate",),
}

NO_IO = {
    "asyncio", "concurrent", "http", "logging", "multiprocessing", "queue", "sched", "select", "selectors",
    "signal", "socket", "ssl", "subprocess", "threading", "time", "urllib",
}  # fmt: skip


def room_of(module: str) -> str | None:
    return next((room for room in MAY_IMPORT if inside(module, room)), None)


def may(found: Import, room: str) -> bool:
    if inside(found.target, room):
        return True
    return any(inside(found.target, allowed) for allowed in MAY_IMPORT[room])


# --- the reader itself: a rule read off nothing would always hold ---


def test_the_reader_sees_every_kind_of_import() -> None:
    source = (
        "import asyncio, av.codec\n"
        "from bridge.core import ports\n"
        "from bridge.errors import BridgeError\n"
        "from . import sibling\n"
        "from ..core.events import LegEvent\n"
        "if TYPE_CHECKING:\n    from bridge.app import Bridge\n"
        "def late():\n    import bridge.store\n"
    )
    known = {"bridge.core.ports", "bridge.legs.a", "bridge.legs.sibling", "bridge.core.events"}
    found = list(imports_of("bridge.legs.a", ast.parse(source), known))
    assert [entry.target for entry in found if not entry.typing_only] == [
        "asyncio", "av.codec", "bridge.core.ports", "bridge.errors", "bridge.legs.sibling",
        "bridge.core.events", "bridge.store",
    ]  # fmt: skip
    assert [entry.target for entry in found if entry.typing_only] == ["bridge.app"]
    assert not may(Import("bridge.legs.a", "bridge.store", False, 1), "bridge.legs")
    assert may(Import("bridge.legs.a", "bridge.core.ports", False, 1), "bridge.legs")


def test_the_house_was_found() -> None:
    assert {"bridge.core.ports", "bridge.switchboard", "bridge.errors", "mediacodecs"} <= set(MODULES)


# --- who may import whom ---


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_lies_further_in(room: str) -> None:
    wrong = [
        found for found in IMPORTS if own(found) and room_of(found.module) == room and not may(found, room)
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_the_core_knows_numpy_and_the_standard_library_only() -> None:
    wrong = [
        found
        for found in IMPORTS
        if inside(found.module, "bridge.core")
        and not own(found)
        and found.target.split(".")[0] != "numpy"
        and found.target.split(".")[0] not in sys.stdlib_module_names
    ]
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("room", ["bridge.core", "mediacodecs"])
def test_core_and_codecs_have_no_clock_no_network_and_no_log(room: str) -> None:
    wrong = [found for found in IMPORTS if inside(found.module, room) and found.target.split(".")[0] in NO_IO]
    assert not wrong, "\n".join(map(str, wrong))


def test_the_verbs_know_no_leg_no_output_and_nothing_around_them() -> None:
    around = (*ENTRANCES, *BEHIND)
    middle = [
        found
        for found in IMPORTS
        if room_of(found.module) is None
        and not any(inside(found.module, room) for room in ENTRANCES)
        and found.module not in ROOT_MODULES | COMMANDS
    ]
    wrong = [found for found in middle if any(inside(found.target, room) for room in around)]
    assert not wrong, "\n".join(map(str, wrong))


def test_entrances_ask_the_verbs_and_reach_around_them_for_nothing() -> None:
    wrong = [
        found
        for found in IMPORTS
        if any(inside(found.module, room) for room in ENTRANCES)
        and any(inside(found.target, room) for room in (*BEHIND, *ROOT_MODULES, *COMMANDS))
        and not WIRES.fullmatch(found.target)
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_no_facade_knows_another_one_or_the_pages() -> None:
    wrong = []
    for found in IMPORTS:
        if not inside(found.module, "bridge.facades") or not own(found):
            continue
        vendor = ".".join(found.module.split(".")[:3])
        if inside(found.target, "bridge.web") or (
            inside(found.target, "bridge.facades")
            and not inside(found.target, vendor)
            and found.target not in SHARED_BY_FACADES
        ):
            wrong.append(found)
    assert not wrong, "\n".join(map(str, wrong))


def test_only_the_composition_root_binds() -> None:
    bound = ("bridge.legs", "bridge.outputs", "bridge.store", "bridge.cluster", *ENTRANCES)
    wrong = [
        found
        for found in IMPORTS
        for room in bound
        if inside(found.target, room) and not inside(found.module, room)
        if found.module not in ROOT_MODULES | DOCTORS
        if not (found.module.startswith(SHARES_WIRES) and WIRES.fullmatch(found.target))
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_nobody_imports_the_composition_root_but_the_command_line() -> None:
    wrong = [
        found
        for found in IMPORTS
        if found.target in ROOT_MODULES and found.module not in ROOT_MODULES | COMMANDS
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_the_configuration_stays_at_the_root() -> None:
    wrong = [
        found
        for found in IMPORTS
        if found.target in SETTINGS
        and found.module not in SETTINGS | ROOT_MODULES | COMMANDS | {"bridge.applications"}
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_only_the_command_line_reads_the_environment() -> None:
    wrong = [
        f"{module}:{node.lineno}"
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
        if module != "bridge.cli.main"
    ]
    assert not wrong, wrong


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_one_door(library: str) -> None:
    def at_the_door(module: str) -> bool:
        # The part after the last dot may go on: `bridge.legs.webrtc` is all the webrtc modules.
        return any(module == door or module.startswith((door + ".", door + "_")) for door in DOORS[library])

    wrong = [
        found for found in IMPORTS if found.target.split(".")[0] == library and not at_the_door(found.module)
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_wire_modules_are_pure() -> None:
    wrong = [
        found
        for found in IMPORTS
        if found.module.rpartition(".")[2].endswith("wire")
        and found.target.split(".")[0] in NO_IO - {"urllib", "http"}
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_no_module_imports_itself_in_a_circle() -> None:
    edges: dict[str, set[str]] = {module: set() for module in MODULES}
    for found in IMPORTS:
        if found.target in MODULES and not found.typing_only and found.target != found.module:
            edges[found.module].add(found.target)
    # A package that re-exports its modules is a circle by itself only when a module imports the package.
    done: set[str] = set()
    path: list[str] = []

    def visit(module: str) -> None:
        if module in path:
            pytest.fail(" → ".join([*path[path.index(module) :], module]))
        if module in done:
            return
        path.append(module)
        for target in sorted(edges[module]):
            visit(target)
        path.pop()
        done.add(module)

    for module in MODULES:
        visit(module)
