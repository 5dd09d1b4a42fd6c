"""A player: a participant whose sound is what a source gives, decoded by a child process of its own.

Files, and what else has an end, are queued as they are played; what happens now goes through a live buffer.
A live source that drops is tried again for as long as the leg lives.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from bridge.core.events import LegClosed, LegConnected, LegInterrupted
from bridge.core.ports import CloseReason, LegLook, LegPort, LegSpec, PlayerSource
from bridge.errors import BridgeError, EgressRefused
from bridge.legs.demux_wire import RATE_HZ, SAMPLE_BYTES, Began
from bridge.legs.player_child import BeginDemuxing, Demuxer, Unplayable
from bridge.legs.player_settings import PlayerSettings, Surroundings, Timer
from bridge.legs.player_sound import LiveSound, PlayerSound, QueuedSound
from bridge.legs.player_supply import OpenSupply, Supply, SupplyRefused

log = logging.getLogger(__name__)

PLAYED = "played to its end"
_LEAST_SAMPLES = RATE_HZ // 50
"""What is shorter is not begun again and again."""


class PlayerLeg:
    """A `bridge.core.ports.Leg`. `ended` is called once it is over."""

    kind = "player"

    def __init__(
        self,
        port: LegPort,
        source: PlayerSource,
        open_supply: OpenSupply,
        begin: BeginDemuxing,
        settings: PlayerSettings,
        around: Surroundings,
        ended: Callable[[PlayerLeg], None],
    ) -> None:
        self._port = port
        self._source = source
        self._open_supply = open_supply
        self._settings = settings
        self._around = around
        self._ended = ended
        self._where = {"room": port.room_id, "participant": port.participant_id, "leg": self.kind}
        self._demuxer = Demuxer(begin, settings.spare_cpu_s, self._heard, self._began, self._where)
        self._sound: PlayerSound | None = None
        self._task: asyncio.Task[None] | None = None
        self._watching: Timer | None = None
        self._format = ""
        self._new_sound = 0
        """Samples since the source was opened."""
        self._all_sound = 0
        self._heard_at = 0.0
        self._failures = 0
        """In a row."""
        self._opened = 0
        self._rounds = 0
        self.state = "connecting"
        self.cause: str | None = None

    # --- Leg ---

    async def start(self) -> str | None:
        """Begin to play. Does not wait for the source."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        return None

    async def renegotiate(self, spec: LegSpec) -> str | None:
        """Another volume, pause or loop is a change; another source is another leg."""
        before = self._source
        if self.state == "closed" or not isinstance(spec, PlayerSource):
            return None
        if (spec.url, spec.file) != (before.url, before.file):
            return None
        self._source = spec
        self._set()
        return ""

    def send(self, text: str) -> None:
        """Nobody is there to read it."""

    def press(self, track: str, digit: str) -> None:
        """Nobody is there to hear it."""

    async def close(self, reason: CloseReason) -> None:
        """Stop at once."""
        task = self._task
        if task is None:
            self._finish(reason.value)
        elif task is not asyncio.current_task():
            task.cancel()
            await asyncio.wait((task,))

    def look(self) -> LegLook:
        """State and figures."""
        sound = self._sound
        return LegLook(
            kind=self.kind,
            state=self.state,
            format=self._format,
            figures={
                "heard_ms": self._all_sound * 1000 / RATE_HZ,
                "ahead_ms": sound.look().depth_ms if sound is not None else 0.0,
                "opened": float(self._opened),
                "rounds": float(self._rounds),
                "underruns": float(sound.underruns) if isinstance(sound, QueuedSound) else 0.0,
                "decoders_lost": float(self._demuxer.deaths),
                "volume": self._source.volume,
                "paused": float(self._source.paused),
                "loop": float(self._source.loop),
            },
        )

    # --- inside ---

    async def _run(self) -> None:
        cause = "closed"
        try:
            cause = await self._play()
            self.cause = cause
        except asyncio.CancelledError:
            pass  # by `close`, which waits for us
        except Exception:
            log.exception("x a player broke", extra=self._where)
            self.cause = cause = "internal error"
        finally:
            try:
                await self._demuxer.close()
            finally:
                self._finish(cause)
        if self.cause is not None:
            self._port.emit(LegClosed(self.cause))

    def _finish(self, cause: str) -> None:
        if self.state != "closed":
            self.state = "closed"
            if self._watching is not None:
                self._watching.cancel()
            self._port.close_input("primary")
            log.info("- player over: %s", cause, extra=self._where)
            self._ended(self)

    async def _play(self) -> str:
        """Gives why it is over."""
        while True:
            supply: Supply | None = None
            self._new_sound = 0
            self._opened += 1
            try:
                async with self._open_supply(self._source) as supply:
                    await self._perform(supply)
                failed = None if supply.ends else "it broke off"
            except (SupplyRefused, EgressRefused) as refused:
                return str(refused)
            except BridgeError as error:
                failed = str(error)
                if self._over_with(supply, error):
                    await self._played_out()
                    return failed
            if failed is None:
                if self._new_sound < _LEAST_SAMPLES:
                    return "there is nothing to hear in it"
                self._rounds += 1
                self._failures = 0
                if not self._source.loop:
                    await self._played_out()
                    if not self._source.loop:
                        return PLAYED
                continue
            self._interrupted(failed)
            await self._around.pause(self._pause_s())

    def _over_with(self, supply: Supply | None, error: BridgeError) -> bool:
        """Whether what failed is not to be tried again."""
        if self._new_sound >= self._settings.good_after_s * RATE_HZ:
            self._failures = 0
        self._failures += 1
        if supply is not None and supply.ends and (self._new_sound or isinstance(error, Unplayable)):
            return True
        if isinstance(error, Unplayable) and self._failures >= self._settings.most_broken:
            return True
        return not self._all_sound and self._failures >= self._settings.first_attempts

    async def _perform(self, supply: Supply) -> None:
        sound = await self._opened_sound(supply)
        while await supply.next_run():
            await self._demuxer.play(supply, sound.chunk, sound.hurried)

    async def _opened_sound(self, supply: Supply) -> PlayerSound:
        """The way into the room that suits the source; the one there is, where it does."""
        sound = self._sound
        if isinstance(sound, QueuedSound if supply.paced else LiveSound):
            return sound
        if sound is not None:
            self._sound = None
            self._port.close_input("primary")
            await self._demuxer.close()
        if supply.paced:
            ahead = self._settings.ahead_ms * RATE_HZ // 1000
            sound = QueuedSound(self._port, ahead, self._demuxer.grant, self._dry)
        else:
            sound = LiveSound(self._port, self._around.now, self._demuxer.grant)
        self._sound = sound
        self._watch()
        self._set()
        return sound

    def _set(self) -> None:
        """Play as the source says now."""
        if self._sound is not None:
            self._port.set_volume("primary", self._source.volume)
            if self._source.paused:
                self._sound.pause()
            else:
                self._sound.resume()

    async def _played_out(self) -> None:
        if self._sound is not None:
            await self._sound.played_out()

    def _heard(self, pcm: bytes) -> None:
        """The child gave sound."""
        samples = len(pcm) // SAMPLE_BYTES
        self._new_sound += samples
        self._all_sound += samples
        self._heard_at = self._around.now()
        if self._sound is not None and self.state != "closed":
            self._sound.take(pcm)
            if self.state != "connected":
                self.state = "connected"
                self._port.emit(LegConnected())

    def _began(self, began: Began) -> None:
        channels = {1: "mono", 2: "stereo"}.get(began.channels, f"{began.channels} channels")
        self._format = f"{began.codec} {began.rate_hz / 1000:g} kHz {channels}"
        log.info("- plays %s in %s", self._format, began.container, extra=self._where)

    def _dry(self) -> None:
        self._interrupted("nothing comes")

    def _watch(self) -> None:
        """Notice, once a second, that nothing comes of what should."""
        if self._watching is not None:
            self._watching.cancel()
        if isinstance(self._sound, QueuedSound):
            return
        if self.state == "connected" and self._around.now() - self._heard_at > self._settings.silent_s:
            self._interrupted("nothing comes")
        self._watching = self._around.call_later(1.0, self._watch)

    def _interrupted(self, why: str) -> None:
        log.info("x %s", why, extra=self._where)
        if self.state == "connected":
            self.state = "interrupted"
            self._port.emit(LegInterrupted(why))

    def _pause_s(self) -> float:
        settings = self._settings
        # The exponent is bounded: what fails for a month must not overflow.
        doubled = settings.least_pause_s * (1 << min(max(self._failures - 1, 0), 10))
        return min(doubled * (0.5 + self._around.chance()), settings.most_pause_s)
