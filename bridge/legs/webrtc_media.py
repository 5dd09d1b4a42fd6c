"""A WebRTC leg's media: which section feeds which input, and which output goes out by which section."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from bridge.core.ports import InputName, LegPort, Source
from bridge.legs.rtp_receive import Expected, Receiver
from bridge.legs.rtp_send import PacketSender
from bridge.legs.webrtc_answer_wire import Plan


class Media:
    """Inputs and outputs on `port`, brought in line with each offer by `apply`.

    A section has one sender for its whole life: inactive and active again, with whatever source.
    """

    def __init__(self, port: LegPort, receiver: Receiver, send: Callable[[bytes], bool]) -> None:
        self.receiver = receiver
        self._port = port
        self._send = send
        self._inputs: dict[InputName, Expected] = {}
        self._outputs: dict[str, Source] = {}
        self._senders: dict[str, PacketSender] = {}

    @property
    def senders(self) -> Collection[PacketSender]:
        """Of all sections in which something was ever sent."""
        return self._senders.values()

    @property
    def ssrcs(self) -> dict[str, int]:
        """Section key → the SSRC sent there."""
        return {key: sender.ssrc for key, sender in self._senders.items()}

    @property
    def packets_out(self) -> int:
        """RTP packets sent."""
        return sum(sender.packets for sender in self._senders.values())

    def apply(self, plans: Sequence[Plan]) -> None:
        """Open what is new, close what has gone, switch what has another source; leave the rest alone."""
        self._apply_inputs({plan.input_name: plan for plan in plans if plan.input_name is not None})
        self._apply_outputs({plan.section.key: plan for plan in plans if plan.source is not None})

    def end(self) -> None:
        """Take and send nothing more; what is open on the port stays open."""
        self.receiver.expect(())
        for sender in self._senders.values():
            sender.end()

    def _apply_inputs(self, wanted: dict[InputName, Plan]) -> None:
        for name in [name for name in self._inputs if name not in wanted]:
            del self._inputs[name]
            self._port.close_input(name)
        for name, plan in wanted.items():
            section = plan.section
            known = self._inputs.get(name)
            push = known.push if known is not None else self._port.open_packet_input(name).push
            self._inputs[name] = Expected(
                section.mid, section.opus or 0, section.ssrcs, section.mid_extension, push
            )
        self.receiver.expect(self._inputs.values())

    def _apply_outputs(self, wanted: dict[str, Plan]) -> None:
        for key in [key for key in self._outputs if key not in wanted]:
            del self._outputs[key]
            self._senders[key].end()
            self._port.close_output(key)
        for key, plan in wanted.items():
            section, source = plan.section, plan.source
            sender = self._senders.get(key)
            if sender is None:
                sender = self._senders[key] = PacketSender(self._send)
            sender.begin(section.opus or 0, section.mid, section.mid_extension)
            if source is not None and self._outputs.get(key) != source:
                self._outputs[key] = source
                self._port.open_packet_output(key, source, sender)
