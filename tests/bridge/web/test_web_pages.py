from __future__ import annotations

import hashlib
import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from bridge.directory import Directory
from bridge.web import ServerFigures, WebPages
from bridge.web.pages import ASSETS, read_assets
from tests.bridge.web.stage import Stage
from tests.bridge.web.staged_bridge import OneApplication
from tests.bridge.web.staged_outputs import StagedOutputs
from tests.bridge.web.staged_streams import StagedStreams
from tests.kit.records import MemoryRecords

pytestmark = pytest.mark.unit

SCRIPTS = sorted(ASSETS.rglob("*.js"))
PAGES = sorted(ASSETS.glob("*.html"))
NAMES_NOT_ADDRESSES = ("http://www.w3.org/2000/svg", "https://aomedia.org/emsg/ID3")
HLS_PLAYER = ASSETS / "vendor" / "hls" / "hls.light.min.js"
HLS_PLAYER_SHA256 = "3d82a88cf9ae0d9aaab3cbe9ff6ecbb64bb89c54a399c34ae9bf8b559baeb20f"


@pytest.fixture
def http() -> httpx.AsyncClient:
    stage = Stage()
    figures = ServerFigures("0", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    directory = Directory(MemoryRecords(), stage)  # type: ignore[arg-type]
    pages = WebPages(
        directory,
        stage,
        OneApplication(),
        lambda: figures,
        streams=StagedStreams(),
        outputs=StagedOutputs(),
    )
    app = FastAPI()
    app.include_router(pages.router())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bridge")


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/join", "text/html; charset=utf-8"),
        ("/operator", "text/html; charset=utf-8"),
        ("/favicon.ico", "image/svg+xml"),
        ("/web/style.css", "text/css; charset=utf-8"),
        ("/web/join/page.js", "text/javascript; charset=utf-8"),
        ("/web/icon.svg", "image/svg+xml"),
    ],
)
async def test_every_file_comes_with_its_type_and_the_strict_headers(
    http: httpx.AsyncClient, path: str, content_type: str
) -> None:
    answer = await http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == content_type
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "microphone=(self)" in answer.headers["permissions-policy"]
    assert answer.headers["cache-control"] == "no-cache"


async def test_only_the_operator_s_page_may_play_what_a_script_fetched(http: httpx.AsyncClient) -> None:
    policies = {
        path: (await http.get(path)).headers["content-security-policy"]
        for path in ("/", "/join", "/operator", "/web/operator/page.js")
    }
    assert [path for path, policy in policies.items() if "blob:" in policy] == ["/operator"]
    allowed = [part for part in policies["/operator"].split("; ") if "blob:" in part]
    assert allowed == ["img-src 'self' blob:", "media-src 'self' blob:"]


async def test_a_file_that_did_not_change_is_not_sent_again(http: httpx.AsyncClient) -> None:
    etag = (await http.get("/web/style.css")).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}'):
        again = await http.get("/web/style.css", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
    assert (await http.get("/web/style.css", headers={"If-None-Match": '"other"'})).status_code == 200


async def test_head_is_answered_like_get(http: httpx.AsyncClient) -> None:
    assert (await http.head("/join")).headers["etag"] == (await http.get("/join")).headers["etag"]


@pytest.mark.parametrize(
    "path",
    [
        "/web/",
        "/web/none.js",
        "/web/%2e%2e/pages.py",
        "/web/join/%2e%2e/%2e%2e/pages.py",
        "/web//etc/passwd",
        "/web/join",
    ],
)
async def test_nothing_but_the_assets_is_given_out(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 404
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_pages_hold_neither_inline_code_nor_inline_style() -> None:
    for page in PAGES:
        text = page.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), page
        assert not re.search(r"<style\b|\sstyle=|\son[a-z]+=", text), page


def test_nothing_is_loaded_from_anywhere_else() -> None:
    for path in sorted(ASSETS.rglob("*")):
        if path.suffix in (".html", ".css", ".js", ".svg"):
            text = path.read_text()
            for name in NAMES_NOT_ADDRESSES:
                text = text.replace(f'"{name}"', "")
            assert not re.search(r"""(?:["'(=]\s*)(?:https?:)?//[a-z]""", text), path


def test_no_script_can_turn_text_into_markup_or_code() -> None:
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc"
    assert SCRIPTS
    for script in SCRIPTS:
        assert not re.search(sinks, script.read_text()), script


def test_the_player_that_is_not_ours_is_unchanged_and_has_its_licence() -> None:
    assert hashlib.sha256(HLS_PLAYER.read_bytes()).hexdigest() == HLS_PLAYER_SHA256
    assert "Apache License, Version 2.0" in (HLS_PLAYER.parent / "LICENSE").read_text()


def test_the_player_that_is_not_ours_is_loaded_only_when_something_is_played() -> None:
    naming = [path for path in [*PAGES, *SCRIPTS] if "hls.light" in path.read_text() and path != HLS_PLAYER]
    assert [path.name for path in naming] == ["hls_player.js"]
    assert not re.search(r"""^import[^\n]*vendor""", naming[0].read_text(), re.MULTILINE)


def test_every_local_reference_leads_to_a_file() -> None:
    assets = read_assets()
    pages = {"/", "/join", "/operator", "/docs"}
    for path in [*PAGES, *SCRIPTS]:
        text = path.read_text()
        here = path.parent
        for found in re.findall(r'(?:href|src)="(/[^"#]*)(?:#[^"]*)?"', text):
            assert found in pages or found.removeprefix("/web/") in assets, (path, found)
        for found in re.findall(r'from "(\.[^"]+)"', text):
            assert (here / found).resolve().is_relative_to(ASSETS) and (here / found).is_file(), (path, found)


def test_every_drawing_that_is_asked_for_exists() -> None:
    drawings = (ASSETS / "shared" / "icons.js").read_text()
    drawn = set(re.findall(r'^  "?([a-z-]+)"?: "M', drawings, re.IGNORECASE | re.MULTILINE))
    asked: set[str] = set()
    for path in [*PAGES, *SCRIPTS]:
        text = path.read_text()
        asked |= set(re.findall(r'data-icon="([a-z-]+)"', text))
        asked |= set(re.findall(r'icon: "([a-z-]+)"', text))
        for given in re.findall(r"\bicon\(([^)]*)\)", text):
            asked |= set(re.findall(r'"([a-z-]+)"', given))
    asked.discard("none")  # only in a question
    assert asked == drawn


def test_every_element_a_script_asks_for_by_id_is_on_its_page() -> None:
    for folder, page in (("join", "join.html"), ("operator", "operator.html")):
        ids = set(re.findall(r'\bid="([^"]+)"', (ASSETS / page).read_text()))
        for script in sorted((ASSETS / folder).glob("*.js")):
            asked = set(re.findall(r'byId\("([^"]+)"\)', script.read_text()))
            assert asked <= ids, (script, asked - ids)


def test_files_of_unknown_types_are_not_given_out(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a{}")
    (tmp_path / "secret.toml").write_text("x=1")
    assert set(read_assets(tmp_path)) == {"a.css"}
