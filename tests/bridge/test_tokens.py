from __future__ import annotations

import pytest

from bridge import tokens
from bridge.tokens import ALPHABET, TokenIndex, hash_of, new_token

pytestmark = pytest.mark.unit


def test_tokens_are_100_letters_and_digits_and_never_the_same() -> None:
    made = {new_token() for _ in range(50)}
    assert len(made) == 50
    assert all(len(token) == 100 and set(token) <= set(ALPHABET) for token in made)
    assert set("".join(made)) == set(ALPHABET)


def test_the_hash_is_sha_256() -> None:
    assert hash_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_removed_token_is_nobodys_but_remembered() -> None:
    index = TokenIndex()
    index.add(hash_of("one"), "room", "ann")
    assert index.owner("one") == ("room", "ann")
    assert not index.was_known("one")
    index.remove("ann")
    index.remove("ann")
    assert index.owner("one") is None
    assert index.was_known("one")
    assert not index.was_known("two")


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "GONE_TOKENS_KEPT", 2)
    index = TokenIndex()
    for name in ("a", "b", "c"):
        index.add(hash_of(name), "room", name)
        index.remove(name)
    assert [index.was_known(name) for name in ("a", "b", "c")] == [False, True, True]
    index.recall(hash_of(name) for name in ("d", "e", "f"))
    assert [index.was_known(name) for name in ("c", "d", "e", "f")] == [False, False, True, True]


def test_a_token_that_nobody_was_given_is_not_remembered() -> None:
    index = TokenIndex()
    index.add(hash_of("one"), "room", "caller")
    index.remove("caller", remember=False)
    assert index.owner("one") is None
    assert not index.was_known("one")
