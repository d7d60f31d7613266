"""Two voices made by arithmetic, which take turns: nobody's recording. It runs in the worker's Python too (3.8 and newer)."""

from __future__ import annotations

import math
import random

RATE = 16_000  # samples a second
SECONDS = 12
# Each voice: pitch in Hz, and how much longer (or shorter) its vocal tract is than the first one's.
_VOICES = ((112.0, 1.0), (208.0, 0.84))
_VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (530, 1840, 2480), (570, 840, 2410), (300, 870, 2240))  # formants in Hz
TURNS = ((0, 0.3, 2.2), (1, 2.5, 4.4), (0, 4.7, 6.6), (1, 6.9, 8.6), (0, 8.9, 10.2), (1, 10.4, 11.7))  # voice, from, to
_SYLLABLE = 0.19  # seconds


def samples() -> list[float]:
    """``SECONDS`` of mono audio: floats between -1 and 1, the same every time."""
    chance = random.Random(7)
    audio = [chance.gauss(0.0, 0.0004) for _ in range(RATE * SECONDS)]
    for voice, begins, ends in TURNS:
        first = int(begins * RATE)
        for number, value in enumerate(_turn(chance, voice, int((ends - begins) * RATE))):
            audio[first + number] += value
    loudest = max(abs(value) for value in audio)
    return [0.7 * value / loudest for value in audio]


def _turn(chance: random.Random, voice: int, length: int) -> list[float]:
    """One voice for ``length`` samples: pulses of the glottis through three resonances, syllable by syllable."""
    pitch, tract = _VOICES[voice]
    spoken: list[float] = []
    state, phase = [[0.0, 0.0] for _ in range(3)], 0.0
    syllable = int(_SYLLABLE * RATE)
    filters: list[tuple[float, float, float]] = []
    melody = pitch
    for number in range(length):
        if number % syllable == 0:
            vowel = chance.choice(_VOWELS)
            filters = [_resonance(formant / tract, 60.0 + 30.0 * rank) for rank, formant in enumerate(vowel)]
            melody = pitch * chance.uniform(0.9, 1.12)
        phase += melody * (1.0 + 0.01 * math.sin(number / 500.0)) / RATE
        pulse = 0.0
        if phase >= 1.0:
            phase -= 1.0
            pulse = 1.0
        value = pulse + chance.gauss(0.0, 0.01)
        for memory, (one, two, gain) in zip(state, filters):  # noqa: B905
            value = gain * value + one * memory[0] + two * memory[1]
            memory[1], memory[0] = memory[0], value
        within = (number % syllable) / syllable
        spoken.append(value * math.sin(math.pi * within) ** 0.5)
    return spoken


def _resonance(frequency: float, width: float) -> tuple[float, float, float]:
    """The coefficients of a digital resonator at ``frequency``, ``width`` Hz wide."""
    radius = math.exp(-math.pi * width / RATE)
    angle = 2.0 * math.pi * frequency / RATE
    one, two = 2.0 * radius * math.cos(angle), -radius * radius
    return one, two, 1.0 - one - two
