"""What is said in a sound, and when: a recogniser of a few known words, and two voices that say them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Decoder

from bridge.harness.sound import Samples, load

RATE_HZ = 16_000
FRAME_S = 0.01
AIR = 40.0
"""Standard deviation of the noise that is added, at int16 scale."""
SOUNDS = Path(__file__).parent / "sounds"


@dataclass(frozen=True, slots=True)
class Word:
    """A word and when it begins, in seconds from the sound's beginning."""

    text: str
    onset_s: float


@dataclass(frozen=True)
class Voice:
    """A recorded speaker; `samples` is int16 [n] at 16 kHz."""

    samples: Samples
    words: tuple[Word, ...]

    @property
    def texts(self) -> list[str]:
        return [word.text for word in self.words]

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE_HZ


@cache
def voice(name: str) -> Voice:
    """`low_voice` or `high_voice`."""
    spoken = json.loads((SOUNDS / "words.json").read_text())[name]
    words = tuple(Word(text, onset_s) for text, onset_s in spoken)
    return Voice(load(SOUNDS / f"{name}.wav", RATE_HZ), words)


def vocabulary() -> list[str]:
    """Every word that either voice says."""
    spoken = json.loads((SOUNDS / "words.json").read_text())
    return sorted({text for words in spoken.values() for text, _ in words})


def recognise(samples: NDArray[np.int16]) -> list[Word]:
    """The words of the vocabulary in int16 [n] at 16 kHz, in order; takes a tenth of the sound's time."""
    decoder = Decoder(lm=None, samprate=RATE_HZ, loglevel="FATAL")
    words = " | ".join(vocabulary())
    decoder.add_jsgf_string("words", f"#JSGF V1.0; grammar words; public <said> = ({words})*;")
    decoder.activate_search("words")
    # It was trained on rooms with air in them: perfect silence between words confuses it.
    air = np.random.default_rng(0).normal(0.0, AIR, len(samples))
    heard = np.rint(samples + air).clip(-32_768, 32_767).astype(np.int16)
    decoder.start_utt()
    decoder.process_raw(heard.tobytes(), full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return []
    return [
        Word(segment.word.partition("(")[0], segment.start_frame * FRAME_S)  # "orange(2)": said another way
        for segment in decoder.seg()
        if segment.word[0].isalpha()
    ]
