"""A child process that turns the bytes it is given into sound, for a player's leg. It can reach nothing else.

It has no environment, no secrets and no addresses; once begun it can open no file and no socket. Whoever
attacks a demuxer or decoder by what is played to them gets a process that can do nothing but play sound.
"""

from __future__ import annotations

import io
import math
import resource
import wave
from contextlib import suppress
from typing import Protocol

import av
from av.audio.resampler import AudioResampler

from bridge.legs.demux_run import Run, Unplayable
from bridge.legs.demux_wire import Begin, Broken, Bytes, Grant, Over, Read, Sound, decode_for_child, encode

_NO_MORE_DESCRIPTORS = 1
"""Below it, only the one that standard input has; links that are open stay so."""


class Link(Protocol):
    """A child's end of its link to the server."""

    def receive(self, timeout_s: float | None = None) -> bytes | None: ...

    def send(self, message: bytes) -> None: ...


def run(arguments: dict[str, object], link: Link) -> None:
    """The job. `spare_cpu_s`: processor time that may pass without a second of sound."""
    shut_in()
    Decoding(link, _Allowance(float(str(arguments["spare_cpu_s"])))).work()


def shut_in() -> None:
    """From now on this process opens nothing: no file, no socket, no program."""
    av.logging.set_level(av.logging.PANIC)
    _rehearse()
    resource.setrlimit(resource.RLIMIT_NOFILE, (_NO_MORE_DESCRIPTORS, _NO_MORE_DESCRIPTORS))


def _rehearse() -> None:
    """Play something short, so that all that is loaded on the way is loaded before the doors close."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(8_000))
    heard = made.getvalue()
    for size in (len(heard), None):
        begin = Begin(size, 960, hurried=size is None)
        Run(begin, lambda at, count: heard[at : at + count], lambda pcm: None, lambda said: None, None).play()
    with suppress(Unplayable):
        Run(begin, lambda at, count: b"RIFF....WAVE"[at:], lambda pcm: None, lambda said: None, None).play()


class _Allowance:
    """Processor time, renewed with every second of sound; without it the kernel ends the process."""

    def __init__(self, spare_s: float) -> None:
        self._spare_s = spare_s
        self.renew()

    def renew(self) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        most = math.ceil(used.ru_utime + used.ru_stime + self._spare_s)
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


class Decoding:
    """Does one run after the other, as it is told."""

    def __init__(self, link: Link, allowance: _Allowance) -> None:
        self._link = link
        self._allowance = allowance
        self._granted = 0
        self._since_renewed = 0
        self._resampler: AudioResampler | None = None

    def work(self) -> None:
        """Until the server ends it (the link's `receive` then raises)."""
        while True:
            message = self._receive()
            if isinstance(message, Begin):
                self._link.send(encode(self._run(message)))
            elif isinstance(message, Grant):
                self._granted += message.samples

    def _run(self, begin: Begin) -> Over | Broken:
        try:
            run = Run(begin, self._ask, self._give, self._link.send, self._resampler)
            samples = run.play()
            self._resampler = run.resampler
            return Over(samples)
        except Unplayable as wrong:
            return Broken(str(wrong))

    def _ask(self, at: int, count: int) -> bytes:
        self._link.send(encode(Read(at, count)))
        while True:
            message = self._receive()
            if isinstance(message, Bytes):
                return message.content
            if isinstance(message, Grant):
                self._granted += message.samples

    def _give(self, pcm: bytes) -> None:
        samples = len(pcm) // 2
        while self._granted < samples:
            message = self._receive()
            if isinstance(message, Grant):
                self._granted += message.samples
        self._granted -= samples
        self._link.send(encode(Sound(pcm)))
        self._since_renewed += samples
        if self._since_renewed >= 48_000:
            self._since_renewed = 0
            self._allowance.renew()

    def _receive(self) -> Begin | Bytes | Grant:
        received = self._link.receive()
        assert received is not None  # it waits for ever
        return decode_for_child(received)
