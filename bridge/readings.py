"""Gathers the parts' figures into what the metrics page and the operator's page show."""

from __future__ import annotations

import resource
import time
from collections import Counter
from typing import TYPE_CHECKING

from bridge.core.ports import PTIME_MS
from bridge.metrics.outputs import OutputFigures
from bridge.metrics.page import Reading
from bridge.web.ports import ServerFigures

if TYPE_CHECKING:
    from bridge.app import Bridge


class Readings:
    """Reads when asked; keeps nothing."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._started = time.monotonic()

    def reading(self) -> Reading:
        """For the metrics page."""
        bridge = self._bridge
        core = bridge.bus.figures()
        encodes = bridge.encode_pool.figures
        sockets = bridge.web_sockets.figures()
        webrtc = bridge.webrtc_legs.figures()
        backlogs: dict[str, list[float]] = {}
        for status in bridge.switchboard.looks():
            backlogs.setdefault(status.leg.kind, []).append(status.leg.backlog_ms)
        conferences = bridge.directory.conferences()
        return Reading(
            ticks=self._ticks(),
            rooms=core.rooms,
            conferences=len(conferences),
            participants=sum(len(bridge.directory.participants(one)) for one in conferences),
            legs=bridge.switchboard.legs(),
            frames={
                "in": core.frames_in,
                "out": bridge.dispatch.frames_out + bridge.dispatch.packets_out,
                "dropped": core.dropped,
                "concealed": core.concealed,
                "recovered": core.recovered,
                "corrected": core.corrected,
            },
            packets_lost=core.lost,
            playout_depth_ms=core.depths_ms,
            backlog_ms=backlogs,
            encoded=encodes.encoded,
            encode_s=encodes.encode_s,
            encode_dropped=encodes.dropped,
            encode_failed=encodes.failed,
            ice_failures=webrtc.ice_failures,
            websockets={"all": int(sockets["open"])},
            websocket_refusals=int(sockets["refused"]),
            bad_messages=int(sockets["violations"]) + bridge.plivo_legs.figures().bad_messages,
            notifications_dropped=bridge.mind.notifications.overflows + webrtc.texts_dropped,
            draining=bridge.switchboard.draining,
            overloaded=bridge.switchboard.overloaded,
            turns=bridge.turn_figures,
            streams=bridge.service_legs.figures(),
            callbacks=bridge.plivo.webhooks.look(),
            captures=bridge.captures.figures() if bridge.captures is not None else None,
            outputs=self._outputs(),
            more={
                "play_queue_underruns": core.underruns,
                "room_migrations": core.migrations,
                "silent_packets": core.silent_packets,
                "broken_sinks": bridge.dispatch.broken,
                "websockets_dead": sockets["dead"],
                "webrtc_interruptions": webrtc.interruptions,
                "webrtc_unreadable_packets": webrtc.unreadable,
                "dials_failed": bridge.dialler.figures()["refused"],
            },
        )

    def server(self) -> ServerFigures:
        """For the operator's page."""
        bridge = self._bridge
        usage = resource.getrusage(resource.RUSAGE_SELF)
        lateness = bridge.watch.lateness_ms(50, 99)
        duration = bridge.watch.duration_ms(50, 99)
        clock = bridge.clock
        return ServerFigures(
            version=bridge.version,
            uptime_s=time.monotonic() - self._started,
            cpu_s=usage.ru_utime + usage.ru_stime,
            ticks=sum(self._ticks().values()),
            late_ticks=clock.caught_up + clock.skipped,
            failed_ticks=bridge.pacer.failed,
            lateness_p50_ms=lateness[0],
            lateness_p99_ms=lateness[1],
            duration_p50_ms=duration[0],
            duration_p99_ms=duration[1],
            draining=bridge.switchboard.draining,
            overloaded=bridge.switchboard.overloaded,
        )

    def _outputs(self) -> OutputFigures:
        parts, pages = self._bridge.outputs, self._bridge.hls_pages
        looks = parts.desk.looks()
        written, live = parts.writer.totals(), parts.live.totals()
        return OutputFigures(
            Counter((look.kind, look.state) for look in looks),
            written.bytes,
            written.lag_ms / 1000,
            written.queue_bytes,
            written.holes,
            written.lost_ticks * PTIME_MS / 1000,
            written.restarts,
            parts.shelf.restarts,
            parts.uploads.stages(),
            parts.uploads.uploaded,
            parts.uploads.failed_attempts,
            live.cpu_s,
            {"sound": live.sound_encoders, "picture": live.picture_encoders},
            live.begun,
            live.holes,
            dict(pages.answers),
            pages.bytes,
            round(sum(look.figures.get("waiting_requests", 0) for look in looks)),
        )

    def _ticks(self) -> dict[str, int]:
        clock = self._bridge.clock
        return {
            "on_time": clock.on_time,
            "late": clock.late,
            "caught_up": clock.caught_up,
            "reset": clock.resets,
            "skipped": clock.skipped,
            "failed": self._bridge.pacer.failed,
        }
