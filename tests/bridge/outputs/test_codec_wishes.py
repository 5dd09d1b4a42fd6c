"""What is asked for and what is to be had."""

from __future__ import annotations

import pytest

from bridge.outputs.codec_wishes import NO_HE_AAC, as_possible

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", ["AAC", "aac-lc", "LC-AAC", "mp4a.40.2"])
def test_aac_is_aac_by_all_its_names(name: str) -> None:
    assert as_possible(name) == ("aac", None)


@pytest.mark.parametrize("name", ["HE-AAC", "he-aac-v2", "HE_AAC", "aac+", "AAC-HE", "mp4a.40.5"])
def test_he_aac_is_given_as_aac_lc_and_that_is_said(name: str) -> None:
    assert as_possible(name) == ("aac", NO_HE_AAC)


def test_what_nobody_knows_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="no such codec; there are aac, flac, mp3, opus, pcm") as refused:
        as_possible("<script>")
    assert "script" not in str(refused.value)
