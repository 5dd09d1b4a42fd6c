"""Join a conference from Python: send a sound file, write what is heard to another.

    python samples/join_with_aiortc.py http://127.0.0.1:8080/APP/CONFERENCE TOKEN \
        --play samples/tone_440_16k.wav --record heard.wav --seconds 10

The whole exchange is one HTTP request: an SDP offer goes out, the answer comes back, and the media flows.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

import httpx
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.contrib.media import MediaPlayer, MediaRecorder


async def join(conference: str, token: str, play: str, record: str, seconds: float) -> None:
    # No STUN server: the bridge is reached at the addresses in its answer.
    configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    peer = RTCPeerConnection(configuration)
    recorder = MediaRecorder(record)

    @peer.on("track")
    def heard(track: MediaStreamTrack) -> None:
        recorder.addTrack(track)

    @peer.on("connectionstatechange")
    def changed() -> None:
        print(f"connection: {peer.connectionState}", file=sys.stderr)

    player = MediaPlayer(play, loop=True)
    peer.addTrack(player.audio)
    try:
        await peer.setLocalDescription(await peer.createOffer())
        async with httpx.AsyncClient(timeout=10) as http:
            response = await http.post(
                conference.rstrip("/") + "/",
                json={"sdp": peer.localDescription.sdp},
                headers={"Authorization": f"Bearer {token}"},
            )
        if response.status_code != 200:
            raise SystemExit(f"the bridge answered {response.status_code}: {response.text}")
        await peer.setRemoteDescription(RTCSessionDescription(response.json()["sdp"], "answer"))
        await recorder.start()
        await asyncio.sleep(seconds)
    finally:
        await recorder.stop()
        await peer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="join a conference from Python")
    parser.add_argument("conference", help="http(s)://host/APPLICATION_ID/CONFERENCE_ID")
    parser.add_argument("token", help="a participant's token")
    parser.add_argument("--play", required=True, help="sound file to send, again and again")
    parser.add_argument("--record", default="heard.wav", help="file for what is heard")
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    asyncio.run(
        join(arguments.conference, arguments.token, arguments.play, arguments.record, arguments.seconds)
    )


if __name__ == "__main__":
    main()
