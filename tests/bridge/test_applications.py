"""Applications: whose token is whose, and the one made at the first start."""

from __future__ import annotations

import json
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from bridge.applications import APPLICATION_FILE, Applications, find_or_make_application
from bridge.config.tree import ApplicationConfig
from bridge.errors import ConfigError
from bridge.secret import Secret

pytestmark = pytest.mark.unit

ONE = "00e1db72-c57d-478c-88be-3533d43c8b34"
OTHER = "1cf69ae4-4c54-47cf-b409-97e88f62fe12"


def application(application_id: str, *tokens: str) -> ApplicationConfig:
    return ApplicationConfig(application_id, tuple(Secret(token) for token in tokens))


def test_each_token_names_its_own_application() -> None:
    applications = Applications([application(ONE, "a-token"), application(OTHER, "b-token", "c-token")])
    assert applications.authenticate("a-token") == ONE
    assert applications.authenticate("b-token") == OTHER
    assert applications.authenticate("c-token") == OTHER
    assert applications.owns(ONE) and applications.owns(OTHER)


@pytest.mark.parametrize("wrong", ["", "a-toke", "a-token ", "A-token", "\udcff", "a-token\0"])
def test_a_wrong_token_names_nobody(wrong: str) -> None:
    assert Applications([application(ONE, "a-token")]).authenticate(wrong) is None


def test_a_hash_stands_for_its_token_and_is_no_token_itself() -> None:
    hashed = "sha256:" + sha256(b"the token").hexdigest()
    applications = Applications([application(ONE, hashed)])
    assert applications.authenticate("the token") == ONE
    assert applications.authenticate(hashed) is None
    assert applications.authenticate(hashed.removeprefix("sha256:")) is None


def test_replacing_takes_old_tokens_away_and_lets_new_ones_in() -> None:
    applications = Applications([application(ONE, "old"), application(OTHER, "b-token")])
    applications.replace([application(ONE, "new")])
    assert applications.authenticate("old") is None
    assert applications.authenticate("new") == ONE
    assert not applications.owns(OTHER)


def test_no_repr_shows_a_token() -> None:
    applications = Applications([application(ONE, "hidden-token")])
    assert "hidden" not in repr(applications) + repr(application(ONE, "hidden-token"))


def test_the_only_application_is_named_only_when_there_is_one() -> None:
    assert Applications([application(ONE, "a", "b")]).only() == ONE
    with pytest.raises(ConfigError, match="2 applications"):
        Applications([application(ONE, "a"), application(OTHER, "b")]).only()


def test_the_first_start_makes_an_application_and_the_next_one_finds_it(tmp_path: Path) -> None:
    made = find_or_make_application(tmp_path / "data")
    file = tmp_path / "data" / APPLICATION_FILE
    assert made.new and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == [APPLICATION_FILE]  # no draft left behind
    again = find_or_make_application(tmp_path / "data")
    assert not again.new and (again.id, again.token) == (made.id, made.token)
    assert Applications([again.config]).authenticate(made.token.reveal()) == made.id


def test_the_token_is_told_to_a_terminal_once_and_to_nothing_else(tmp_path: Path) -> None:
    made = find_or_make_application(tmp_path)
    token = made.token.reveal()
    assert token in made.announcement(to_terminal=True)
    assert token not in made.announcement(to_terminal=False) and made.id in made.announcement(False)
    assert token not in find_or_make_application(tmp_path).announcement(to_terminal=True)
    assert token not in repr(made)


def test_a_file_open_to_others_is_closed_to_them(tmp_path: Path) -> None:
    find_or_make_application(tmp_path)
    (tmp_path / APPLICATION_FILE).chmod(0o644)
    find_or_make_application(tmp_path)
    assert stat.S_IMODE((tmp_path / APPLICATION_FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "[]", "{", json.dumps({"id": ONE})])
def test_a_damaged_file_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    (tmp_path / APPLICATION_FILE).write_text(content)
    with pytest.raises(ConfigError, match="damaged"):
        find_or_make_application(tmp_path)
    assert (tmp_path / APPLICATION_FILE).read_text() == content


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="application.json"):
        find_or_make_application(tmp_path / "file" / "data")


def test_of_two_servers_starting_at_once_both_get_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    winner = find_or_make_application(tmp_path)
    # The loser looked before the winner had written.
    monkeypatch.setattr(Path, "exists", lambda self: False)
    loser = find_or_make_application(tmp_path)
    assert (loser.id, loser.token, loser.new) == (winner.id, winner.token, False)
