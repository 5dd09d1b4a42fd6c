"""The front door of the test harness: simulated callers for tests, samples and the command line.

    from bridge.harness import calling

    async with calling("ws://127.0.0.1:9000") as call:
        await call.say("hello.wav")
        await call.expect(response_within=1.5)
    assert call.result.failures == []

What there is stands in `__init__.pyi`; each name is imported when it is first asked for (front_door.py).
Everything else lives in the modules. docs/bot_tests.md shows how to use it.
"""

from bridge.harness.front_door import give as __getattr__  # noqa: F401 - asked by the interpreter
from bridge.harness.front_door import names as __dir__

__all__ = __dir__()
