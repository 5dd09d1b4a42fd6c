"""What becomes of what a live encoder is told while its queue is full. The process is a test's."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.outputs.live_encoder import LiveEncoder
from bridge.outputs.live_wire import (
    AddHls,
    AddPush,
    Closed,
    Event,
    HlsSpec,
    Levels,
    Passed,
    Remove,
    decode_command,
    encode,
)
from bridge.outputs.record import Begun

pytestmark = pytest.mark.unit


class Process:
    """Takes what it is told, or does not."""

    def __init__(self, job: str, arguments: object, *, on_message: Any, on_exit: Any, **how: object) -> None:
        self.say, self.on_exit = on_message, on_exit
        self.takes = True
        self.told: list[Any] = []

    async def start(self) -> None:
        pass

    async def stop(self, within_s: float) -> None:
        pass

    def send(self, message: bytes) -> bool:
        if self.takes:
            self.told.append(decode_command(message))
        return self.takes


class Output:
    def __init__(self, order: AddHls | AddPush | None) -> None:
        self._order = order
        self.events: list[Event] = []

    def order(self) -> AddHls | AddPush | None:
        return self._order

    def told(self, event: Event) -> None:
        self.events.append(event)


HLS = AddHls("hls", HlsSpec(), "/nowhere")


async def started() -> tuple[LiveEncoder, Process]:
    made: list[Process] = []

    def make(*what: Any, **how: Any) -> Any:
        made.append(Process(*what, **how))
        return made[-1]

    encoder = LiveEncoder("room", child=make)
    await encoder.start()
    encoder.passed(0, 5, [Begun("r", "room", 0, 0)])
    return encoder, made[0]


async def test_an_output_that_begins_while_nothing_is_taken_begins_later() -> None:
    encoder, process = await started()
    process.takes = False
    encoder.add("hls", Output(HLS))
    encoder.passed(5, 10, [])
    process.takes = True
    process.told.clear()
    encoder.passed(10, 15, [])
    assert [type(command) for command in process.told] == [Passed, AddHls]
    encoder.passed(15, 20, [])
    assert [type(command) for command in process.told] == [Passed, AddHls, Passed], "once"


async def test_an_output_that_ends_while_nothing_is_taken_is_ended_later_and_not_forgotten() -> None:
    encoder, process = await started()
    output = Output(HLS)
    encoder.add("hls", output)
    process.takes = False
    encoder.remove("hls")
    assert output.events == [] and encoder.outputs == 1, "it is still coded"
    process.takes = True
    encoder.passed(10, 15, [])
    assert process.told[-1] == Remove("hls")
    process.say(encode(Closed("hls")))
    assert output.events == [Closed("hls")] and encoder.outputs == 0


async def test_one_that_begins_and_ends_while_nothing_is_taken_was_never_there() -> None:
    encoder, process = await started()
    process.takes = False
    output = Output(HLS)
    encoder.add("hls", output)
    encoder.remove("hls")
    process.takes = True
    encoder.passed(10, 15, [])
    assert process.told[-1] == Remove("hls") and not any(isinstance(one, AddHls) for one in process.told)
    await encoder.stop()
    assert len(output.events) == 1


async def test_an_output_that_orders_by_itself_is_not_ordered_for() -> None:
    encoder, process = await started()
    encoder.add("push", Output(None))
    process.takes = False
    assert not encoder.order("push")
    process.takes = True
    encoder.passed(10, 15, [])
    assert {type(command) for command in process.told} == {Passed}


async def test_levels_are_told_again_to_an_encoder_that_missed_something() -> None:
    encoder, process = await started()
    process.takes = False
    encoder.levels(Levels(7, {"ann": 3}))
    encoder.passed(5, 10, [])
    process.takes = True
    encoder.passed(10, 15, [])
    assert process.told[-1] == Levels(7, {"ann": 3})


async def test_nobody_is_waited_for_where_there_is_no_encoder() -> None:
    encoder, process = await started()
    output = Output(HLS)
    encoder.add("hls", output)
    process.on_exit(-9)
    encoder.remove("hls")
    assert [type(event) for event in output.events] == [Closed]
    await encoder.stop()
