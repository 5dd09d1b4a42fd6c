"""What CI systems expect of junit.xml: Jenkins' schema (junit-10.xsd), and what Apache Ant's asks besides."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

ATTRIBUTES = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set()),
    "testsuite": (
        {"name", "tests", "failures", "errors", "time", "timestamp", "hostname", "package", "id"},
        {"skipped"},
    ),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname", "time"}, set()),
    "failure": ({"message", "type"}, set()),
    "error": ({"message", "type"}, set()),
    "skipped": ({"message", "type"}, set()),
}
"""Those that an element must and may have."""
ORDER = {
    "testsuites": "(testsuite )*",
    "testsuite": "properties (testcase )*system-out system-err ",
    "properties": "(property )*",
    "testcase": "(failure |error |skipped )?(system-out )?",
}
"""What is in an element, in this order; nothing is in the others."""


def read_junit(written: bytes) -> Element:
    """The one suite in it. Raises AssertionError for what a CI system could stumble over."""
    suites = ElementTree.fromstring(written)
    assert suites.tag == "testsuites"
    for element in suites.iter():
        must, may = ATTRIBUTES.get(element.tag, (set(), set()))
        assert must <= set(element.keys()) <= must | may, (element.tag, element.keys())
        inside = "".join(f"{child.tag} " for child in element)
        assert re.fullmatch(ORDER.get(element.tag, ""), inside), (element.tag, inside)
        for name in ("tests", "failures", "errors", "skipped", "id"):
            assert re.fullmatch(r"\d+", element.get(name, "0"))
        assert re.fullmatch(r"\d+\.\d{3}", element.get("time", "0.000"))
        for name in ("name", "classname"):
            text = element.get(name, "x")
            assert text and text == " ".join(text.split()), text  # xs:token
    (suite,) = suites
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", ""))
    cases = suite.findall("testcase")
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert suite.get(name) == str(sum(case.find(tag) is not None for case in cases))
    assert suite.get("tests") == suites.get("tests") == str(len(cases))
    assert (suites.get("failures"), suites.get("errors")) == (suite.get("failures"), suite.get("errors"))
    return suite
