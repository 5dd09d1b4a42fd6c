"""The composition root: the only file that knows every other one.

It makes the parts from the configuration, binds the factories, and runs them until a signal ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import time
from importlib import metadata

from bridge import logs
from bridge.applications import Applications, MadeApplication, find_or_make_application
from bridge.capture_parts import capture_files, capture_listing, capturing
from bridge.config.source import load_again
from bridge.config.tree import Config
from bridge.core.clock import Clock, SoundTime
from bridge.core.mixbus import MixBus
from bridge.core.ports import CallTrack, CloseReason, PlayerSource, ServiceStream, WebRtcOffer
from bridge.directory import Directory
from bridge.dispatch import Dispatch
from bridge.egress.gate import EgressGate
from bridge.facades.mind import MindFacade, MindSettings
from bridge.facades.plivo import (
    ForkLooks,
    Outgoing,
    PlivoAccounts,
    PlivoFacade,
    PlivoSettings,
    StreamDefaults,
)
from bridge.histogram import TickTimes
from bridge.http_parts import Vitals, http_app, metrics_app
from bridge.legs.player_leg import PlayerLeg
from bridge.legs.plivo_leg import PlivoLegs
from bridge.legs.service_leg import ServiceLeg
from bridge.legs.service_legs import ServiceLegs
from bridge.legs.service_settings import ServiceSettings
from bridge.legs.webrtc_legs import WebRtcLegs
from bridge.metrics.page import Metrics
from bridge.output_parts import OutputParts
from bridge.part_settings import (
    core_settings,
    directory_settings,
    egress_settings,
    webrtc_settings,
    with_authorities,
)
from bridge.player_parts import player_legs, players
from bridge.readings import Readings
from bridge.runtime.connect_out import Resolver
from bridge.runtime.encode_pool import EncodePool
from bridge.runtime.http_out import HttpOut
from bridge.runtime.pacer import Pacer
from bridge.runtime.server import ServerSettings, open_listeners, serve
from bridge.runtime.websocket import WebSocketSettings, make_protocol
from bridge.runtime.ws_dial import Dialler
from bridge.store import SqlStore
from bridge.switchboard import Switchboard
from bridge.tick_stamp import TickStamp
from bridge.tick_watch import TickWatch
from bridge.turns.figures import TurnFigures
from bridge.turns.watch import TurnWatch
from bridge.web import WebPages
from bridge.web.hls import HlsPages
from mediacodecs.blas import use_one_thread

SWITCH_INTERVAL_S = 0.0005
"""Encoding threads wait for the interpreter's lock this long at the most; the default is ten times that."""


class Bridge:
    """All parts, made and bound; nothing runs yet. Use `Bridge.open`."""

    def __init__(self, config: Config, applications: Applications, store: SqlStore) -> None:
        self._config = config
        self._applications = applications
        self._store = store
        self.version = metadata.version("mediabridge")
        limits = config.limits

        self.bus = MixBus(core_settings(config))
        self.dispatch = Dispatch()
        self.clock = Clock()
        sound_ms = SoundTime(self.clock, time.time)
        self._resolver = Resolver()
        gate = EgressGate(egress_settings(config), self._resolver)
        # A service may stall for as long as its stream is held: the hold has a bound of its own.
        patience = WebSocketSettings(ping_timeout_s=config.streams.hold_seconds + 20)
        self.dialler = with_authorities(config, lambda ca_file: Dialler(gate, patience, ca_file=ca_file))
        self.http_out = with_authorities(config, lambda ca_file: HttpOut(gate, ca_file=ca_file))

        self.webrtc_legs = WebRtcLegs(webrtc_settings(config))
        self.captures = capture_files(config.captures)
        stamp = TickStamp(self.bus, self.clock)
        captured = capturing(self.captures, stamp, lambda room: self.switchboard.look(room))
        self.plivo_legs = PlivoLegs(capturing=captured)
        held_ms = round(config.streams.hold_seconds * 1000)
        self.service_legs = ServiceLegs(
            self.dialler, sound_ms, ServiceSettings(held_ms=held_ms), capturing=captured
        )
        self.player_legs = player_legs(config, gate, self.http_out)
        self.switchboard = Switchboard(
            self.bus,
            self.dispatch,
            {
                WebRtcOffer: self.webrtc_legs,
                CallTrack: self.plivo_legs,
                ServiceStream: self.service_legs,
                PlayerSource: self.player_legs,
            },
            max_legs=limits.legs,
        )
        self.directory = Directory(
            store,
            self.switchboard,
            directory_settings(config),
        )

        self.players = players(config, gate, self.directory, self.switchboard)
        self.outputs = OutputParts(
            config, store, self.switchboard, self.directory, gate, lambda: self.clock.position, sound_ms
        )

        self.tick_times = TickTimes()
        self.watch = TickWatch(limits.late_ticks_percent / 100)
        self.encode_pool = EncodePool()
        self.pacer = Pacer(
            self.clock,
            self.bus if captured is None else stamp,
            self.dispatch,
            self.encode_pool,
            observe=self._observe,
            on_event=self.switchboard.core_event,
        )
        self.turn_figures = TurnFigures()
        turns = TurnWatch(self.switchboard, sound_ms, core_settings(config).meter, self.turn_figures.observe)
        self.readings = Readings(self)
        self.metrics = Metrics(self.readings, self.tick_times, self.version)

        self.plivo_accounts = PlivoAccounts(config.plivo, applications)
        self.plivo = PlivoFacade(
            self.directory,
            self.switchboard,
            applications,
            self.plivo_accounts,
            self.plivo_legs.new_link,
            PlivoSettings(
                public_base_url=config.public_base_url,
                grace_s=config.calls.grace_seconds,
                max_message_bytes=limits.websocket_message_bytes,
                streams=StreamDefaults(
                    config.streams.redial, config.streams.say_stop, captures=self.captures is not None
                ),
                streams_per_call=config.streams.per_call,
            ),
            Outgoing(gate.resolve, self.http_out.request, turns),
            captures=capture_listing(self.captures),
        )
        self.mind = MindFacade(
            self.directory,
            self.switchboard,
            applications,
            self.outputs.recordings,
            self.outputs.streamings,
            MindSettings(body_bytes=limits.body_bytes),
            self.plivo.forks,
            self.players,
        )
        self.pages = WebPages(
            self.directory,
            self.switchboard,
            applications,
            self.readings.server,
            config.webrtc.ice_servers,
            streams=ForkLooks(self.plivo.fork_course),
            outputs=self.outputs.looks,
        )
        self.hls_pages = HlsPages(self.outputs.hls)
        self.web_sockets = make_protocol(
            [self.plivo.door, self.pages.door, self.mind.door],
            WebSocketSettings(trusted_proxies=tuple(config.trusted_proxies)),
        )
        self.vitals = Vitals(self.switchboard, store, self.metrics)
        routers = (one.router() for one in (self.pages, self.hls_pages, self.plivo, self.mind))
        self.http = http_app(self.version, routers, self.vitals, with_metrics=config.metrics.port is None)

    @classmethod
    async def open(cls, config: Config, applications: Applications) -> Bridge:
        """The parts, with the database open and what it keeps loaded. Raises ConfigError."""
        store = await SqlStore.open(config.store_url)
        bridge = cls(config, applications, store)
        await bridge.directory.load()
        await bridge.outputs.open()
        if bridge.captures is not None:
            bridge.captures.start()
        return bridge

    async def shut(self) -> None:
        """Close what `open` opened; `close` first."""
        await self.outputs.shut()
        await self.plivo.close()
        await self.http_out.close()
        self._resolver.close()
        await self.directory.close()
        self.encode_pool.close()
        if self.captures is not None:
            await asyncio.to_thread(self.captures.close)
        await self._store.close()

    # --- Lifecycle of `runtime.server` ---

    def drain(self) -> None:
        """Not ready from now on, and no new work."""
        self.switchboard.draining = True

    async def finished(self) -> None:
        """Returns when no leg is left but streams and players, which have nobody any more."""
        gone = asyncio.Event()
        self.switchboard.subscribe(lambda event: gone.set())
        while set(self.switchboard.legs()) - {ServiceLeg.kind, PlayerLeg.kind}:
            gone.clear()
            await gone.wait()

    async def close(self) -> None:
        """Let every peer go, so that it comes back."""
        await self.outputs.close()
        await self.switchboard.close(CloseReason.RESTART)
        self.dialler.close_all(1012, "the server restarts")
        self.web_sockets.close_all(1012, "the server restarts")

    def reload(self) -> None:
        """Read tokens anew. Raises ConfigError, and keeps what was."""
        config = load_again(self._config)
        logs.hide(config.secrets())
        configured = config.applications or [find_or_make_application(config.data_dir).config]
        self._applications.replace(configured)
        self.plivo_accounts.replace(config.plivo)

    # --- inside ---

    def _observe(self, lateness_s: float, duration_s: float) -> None:
        self.tick_times.observe(lateness_s, duration_s)
        if self.watch.observe(lateness_s, duration_s):
            self.switchboard.overloaded = self.watch.overloaded


async def run(config: Config) -> int:
    """Serve until a signal says otherwise; gives the exit code. Raises ConfigError."""
    use_one_thread()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    settings = ServerSettings(
        host=config.host,
        port=config.port,
        tls_certificate=config.tls_certificate,
        tls_key=config.tls_key,
        trusted_proxies=[str(network) for network in config.trusted_proxies],
        drain_seconds=config.drain_seconds,
        metrics_host=config.metrics.host,
        metrics_port=config.metrics.port,
    )
    made = None if config.applications else find_or_make_application(config.data_dir)
    if made is not None:
        logs.hide([made.token.reveal()])
    applications = Applications([made.config] if made else config.applications)
    listeners = open_listeners(settings)
    with contextlib.closing(listeners):
        bridge = await Bridge.open(config, applications)
        # What is there now stays: looking for garbage in it takes 70 ms each time, and holds up the ticks.
        gc.collect()
        gc.freeze()
        pacing = asyncio.create_task(bridge.pacer.run())
        try:
            await serve(
                bridge.http,
                settings,
                listeners,
                bridge,
                websocket_protocol=bridge.web_sockets,
                metrics_app=metrics_app(bridge.vitals) if listeners.metrics else None,
                announce=lambda addresses: _announce(addresses, made),
            )
        finally:
            gc.unfreeze()
            pacing.cancel()
            await asyncio.gather(pacing, return_exceptions=True)
            await bridge.shut()
    return 0


def _announce(addresses: list[str], made: MadeApplication | None) -> None:
    print(f"mediabridge {metadata.version('mediabridge')} on {', '.join(addresses)}", flush=True)
    if made is not None:
        print(made.announcement(sys.stdout.isatty()), flush=True)
