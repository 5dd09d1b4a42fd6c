from __future__ import annotations

import pytest

from bridge.bearer import bearer

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("header", "parameter", "token"),
    [
        ("Bearer abc", None, "abc"),
        ("bearer  abc ", "xyz", "abc"),
        ("Basic abc", "xyz", "xyz"),
        ("Bearer ", "xyz", "xyz"),
        ("Bearer", None, None),
        ("abc", None, None),
        (None, "xyz", "xyz"),
        (None, None, None),
    ],
)
def test_the_header_comes_before_the_parameter(
    header: str | None, parameter: str | None, token: str | None
) -> None:
    headers = {} if header is None else {"authorization": header}
    query = {} if parameter is None else {"access_token": parameter}
    assert bearer(headers, query) == token
