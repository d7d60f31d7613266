"""The generated voices: the same every time, two pitches in turns, and pauses between them."""

from __future__ import annotations

import math

import pytest

from ot_doctor.sources.trial.voices import RATE, SECONDS, samples


@pytest.fixture(scope="module")
def audio() -> list[float]:
    return samples()


def strength(audio: list[float], begins: float, ends: float, pitch: float) -> float:
    """How strong a frequency is in a part of the audio."""
    part = audio[int(begins * RATE) : int(ends * RATE)]
    wave = [2 * math.pi * pitch * number / RATE for number in range(len(part))]
    real = sum(value * math.cos(angle) for value, angle in zip(part, wave, strict=True))
    imaginary = sum(value * math.sin(angle) for value, angle in zip(part, wave, strict=True))
    return math.hypot(real, imaginary) / len(part)


def test_it_is_the_same_audio_every_time_and_fits_its_range(audio: list[float]) -> None:
    assert len(audio) == RATE * SECONDS
    assert 0.6 < max(map(abs, audio)) <= 0.71
    assert audio[10_000:10_003] == samples()[10_000:10_003]


def test_there_are_pauses_between_the_turns(audio: list[float]) -> None:
    speech = sum(abs(value) for value in audio[RATE : 2 * RATE]) / RATE
    pause = sum(abs(value) for value in audio[int(2.25 * RATE) : int(2.45 * RATE)]) / (0.2 * RATE)
    assert pause < speech / 20


def test_the_two_voices_have_pitches_of_their_own(audio: list[float]) -> None:
    def low_and_high(begins: float, ends: float) -> tuple[float, float]:
        low = max(strength(audio, begins, ends, pitch) for pitch in range(98, 128, 3))
        high = max(strength(audio, begins, ends, pitch) for pitch in range(184, 238, 6))
        return low, high

    first_low, _ = low_and_high(0.5, 2.0)
    second_low, second_high = low_and_high(2.7, 4.2)
    assert first_low > 3 * second_low
    assert second_high > 3 * second_low
