"""A bot made with Pipecat, as its examples make one for Plivo: a pipeline on each stream that comes in."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass, field

import numpy as np
import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from numpy.typing import NDArray
from pipecat.frames.frames import Frame, InputAudioRawFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.plivo import PlivoFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.workers.runner import WorkerRunner

from bridge.core.ports import ULAW_8K
from tests.kit.running_bridge import PLIVO_AUTH_ID, PLIVO_AUTH_TOKEN
from tests.kit.tones import tone

RATE_HZ = 8_000


class Answers(FrameProcessor):
    """Keeps what it hears, and hums for as long as it hears anything at all, be it silence."""

    def __init__(self, frequency_hz: float, amplitude: float) -> None:
        super().__init__()
        self.format = ULAW_8K
        """For `tests.kit.ears`: what it hears came in this format."""
        self._frames: list[NDArray[np.int16]] = []
        self._hum = tone(frequency_hz, 1.0, RATE_HZ, amplitude).astype(np.int16)
        self._at = 0

    @property
    def heard(self) -> NDArray[np.int16]:
        return np.concatenate(self._frames) if self._frames else np.zeros(0, np.int16)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, InputAudioRawFrame):
            await self.push_frame(frame, direction)
            return
        samples = np.frombuffer(frame.audio, np.int16)
        self._frames.append(samples)
        said = self._hum.take(np.arange(self._at, self._at + len(samples)), mode="wrap")
        self._at = (self._at + len(samples)) % len(self._hum)
        await self.push_frame(OutputAudioRawFrame(said.tobytes(), RATE_HZ, 1))


@dataclass
class PipecatBot:
    """`url` is where streams go; `workers` are the pipelines, the newest last."""

    frequency_hz: float
    amplitude: float
    url: str = ""
    calls: list[str] = field(default_factory=list)
    answers: list[Answers] = field(default_factory=list)
    workers: list[PipelineWorker] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, websocket: WebSocket) -> None:
        """One call, from its first message to its hang-up."""
        await websocket.accept()
        kind, call = await parse_telephony_websocket(websocket)
        assert kind == "plivo", kind
        serializer = PlivoFrameSerializer(
            stream_id=call["stream_id"], call_id=call["call_id"],
            auth_id=PLIVO_AUTH_ID, auth_token=PLIVO_AUTH_TOKEN,
        )  # fmt: skip
        transport = FastAPIWebsocketTransport(
            websocket,
            FastAPIWebsocketParams(audio_in_enabled=True, audio_out_enabled=True, serializer=serializer),
        )
        answers = Answers(self.frequency_hz, self.amplitude)
        worker = PipelineWorker(
            Pipeline([transport.input(), answers, transport.output()]),
            params=PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ),
            enable_rtvi=False, enable_turn_tracking=False,
        )  # fmt: skip

        @transport.event_handler("on_client_disconnected")  # type: ignore[untyped-decorator]
        async def gone(transport: object, client: object) -> None:
            await worker.cancel()

        self.calls.append(call["call_id"])
        self.answers.append(answers)
        self.workers.append(worker)
        self.came.set()
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        await runner.run()


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@contextlib.asynccontextmanager
async def pipecat_bot(frequency_hz: float, amplitude: float) -> AsyncIterator[PipecatBot]:
    """A bot on a free port of 127.0.0.1."""
    logger.remove()
    bot = PipecatBot(frequency_hz, amplitude)
    app = FastAPI()
    app.websocket("/ws")(bot.serve)
    listener = socket.create_server(("127.0.0.1", 0))
    bot.url = f"ws://127.0.0.1:{listener.getsockname()[1]}/ws"
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=2)
    server = _QuietServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield bot
    finally:
        for worker in bot.workers:
            await worker.cancel()
        server.should_exit = True
        async with asyncio.timeout(10):
            await serving
