from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge.harness.clips import load_clips
from bridge.harness.person import Person
from bridge.harness.voice import CheckpointReached, KeysHeard, QueueCleared
from tests.kit.rehearsal import Rehearsal, scenario, sound_file

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sound_file(tmp_path, "second.wav", 1.0)
    sound_file(tmp_path, "framed.wav", 0.4, lead_s=0.3, tail_s=0.3)
    return tmp_path


# --- steps ---


def test_speech_and_pauses_follow_each_other_without_a_gap(folder: Path) -> None:
    heard = Rehearsal().play(
        scenario("- pause: 200ms\n- say: second.wav\n- pause: 60ms\n- say: second.wav"), folder
    )
    assert heard.spoke_ms == [(200, 1200), (1260, 2260)]
    assert heard.ended_ms == 2260
    assert heard.person.failures == []


def test_a_part_of_a_file_is_said_softer(folder: Path) -> None:
    heard = Rehearsal().play(
        scenario("- say: {file: framed.wav, from: 0.4s, to: 500ms, gain: -20dB}"), folder
    )
    assert heard.spoke_ms == [(0, 100)]
    assert np.abs(heard.words).max() == pytest.approx(800, rel=0.02)


def test_the_person_speaks_when_the_bot_has_been_silent_long_enough(folder: Path) -> None:
    steps = "- wait_for_speech: 5s\n- wait_for_silence: 500ms\n- say: second.wav"
    heard = Rehearsal(talks=[(1000, 1400), (1700, 3000)]).play(scenario(steps), folder)
    assert heard.spoke_ms == [(3500, 4500)]


def test_speech_has_to_last_where_that_is_asked_for(folder: Path) -> None:
    steps = "- wait_for_speech: {for: 400ms}\n- say: second.wav"
    heard = Rehearsal(talks=[(500, 700), (2000, 4000)]).play(scenario(steps), folder)
    assert heard.spoke_ms == [(2400, 3400)]


def test_a_barge_in_comes_while_the_bot_talks(folder: Path) -> None:
    heard = Rehearsal(talks=[(300, 5000)]).play(
        scenario("- barge_in: {file: second.wav, after: 800ms}"), folder
    )
    assert heard.spoke_ms == [(1100, 2100)]


def test_a_back_channel_is_a_short_hum(folder: Path) -> None:
    heard = Rehearsal(talks=[(0, 5000)]).play(scenario("- backchannel: {after: 1s}"), folder)
    begins, ends = heard.spoke_ms[0][0], heard.spoke_ms[-1][1]
    assert begins == pytest.approx(1020, abs=40)
    assert 300 < ends - begins <= 500


def test_keys_are_pressed_one_after_another(folder: Path) -> None:
    heard = Rehearsal().play(scenario('- digits: "1#"\n- digits: {keys: 23, gap: 500ms}'), folder)
    assert heard.keys == [(0, "1"), (200, "#"), (400, "2"), (900, "3")]
    assert not heard.words.any()


def test_what_follows_a_key_follows_at_once_but_hanging_up(folder: Path) -> None:
    heard = Rehearsal().play(scenario('- digits: "12"\n- say: second.wav\n- digits: 3'), folder)
    assert heard.keys == [(0, "1"), (200, "2"), (1200, "3")]
    assert heard.spoke_ms == [(200, 1200)]
    assert heard.ended_ms == 1400
    assert Rehearsal().play(scenario("- digits: 3\n- hang_up"), folder).ended_ms == 200


def test_an_answer_to_keys_is_counted_from_the_last_of_them(folder: Path) -> None:
    steps = (
        '- say: second.wav\n- pause: 1s\n- digits: {keys: "12", gap: 300ms}\n- expect: {response_within: 1s}'
    )
    prompt = Rehearsal(talks=[(1200, 1600), (3200, 3600)]).play(scenario(steps), folder)
    assert prompt.person.failures == []
    late = Rehearsal(talks=[(1200, 1600), (3400, 3600)]).play(scenario(steps), folder)
    assert late.person.failures == ["step 4: the bot did not answer within 1s"]


def test_a_bot_may_end_the_call_as_soon_as_a_key_asks_it_to(folder: Path) -> None:
    heard = Rehearsal().play(scenario('- digits: "#"\n- wait_for_hang_up: 2s'), folder, limit_ms=20)
    heard.person.ended("bot closed")
    assert heard.person.failures == []


def test_steps_are_repeated_within_repetitions(folder: Path) -> None:
    steps = "- repeat: {times: 2, steps: [digits: 1, repeat: {times: 3, steps: [digits: 2]}]}"
    heard = Rehearsal().play(scenario(steps), folder)
    assert "".join(key for _, key in heard.keys) == "12221222"
    assert [m.text for m in heard.person.moments][:2] == ["1[1].1 digits", "1[1].2[1].1 digits"]


def test_nothing_is_done_after_hanging_up(folder: Path) -> None:
    heard = Rehearsal().play(scenario("- pause: 1s\n- hang_up\n- say: second.wav"), folder)
    assert heard.ended_ms == 1000
    assert heard.person.tick(np.zeros(320, np.int16), []).hangs_up


# --- waiting for what the bot does ---


def test_a_checkpoint_is_waited_for_by_its_name(folder: Path) -> None:
    events = [
        (100, CheckpointReached("early")),
        (900, CheckpointReached("other")),
        (2000, CheckpointReached("b")),
    ]
    steps = "- pause: 1s\n- wait_for_checkpoint: b\n- digits: 1"
    assert Rehearsal(events=events).play(scenario(steps), folder).keys == [(2000, "1")]
    steps = "- pause: 1s\n- wait_for_checkpoint\n- wait_for_checkpoint\n- digits: 1"
    assert Rehearsal(events=events).play(scenario(steps), folder).keys == [(1000, "1")]


def test_what_came_before_the_person_spoke_is_no_answer(folder: Path) -> None:
    before = [(100, CheckpointReached("b")), (100, QueueCleared()), (100, KeysHeard("5"))]
    for wait, why in [
        ("wait_for_checkpoint: {name: b, within: 1s}", "checkpoint “b” was not reached within 1s"),
        ("wait_for_clear: 1s", "did not clear"),
        ("wait_for_digits: {keys: 5, within: 1s}", "did not send 1 keys"),
    ]:
        heard = Rehearsal(events=before).play(scenario(f"- pause: 1s\n- say: second.wav\n- {wait}"), folder)
        assert len(heard.person.failures) == 1
        assert why in heard.person.failures[0]
        assert heard.person.failures[0].startswith("step 3: ")
        heard = Rehearsal(events=before).play(scenario(f"- pause: 1s\n- {wait}"), folder)
        assert heard.person.failures == []


def test_keys_of_the_bot_are_waited_for_in_their_order(folder: Path) -> None:
    events = [(400, KeysHeard("9")), (1000, KeysHeard("12")), (1500, KeysHeard("34"))]
    heard = Rehearsal(events=events).play(scenario("- wait_for_digits: 123\n- digits: 1"), folder)
    assert heard.keys == [(1480, "1")]
    assert "123" not in repr(heard.person.moments)


@pytest.mark.parametrize(
    ("steps", "talks", "why"),
    [
        ("- wait_for_speech: 2s", [], "step 1: the bot did not talk within 2s"),
        (
            "- wait_for_silence: {for: 1s, within: 2s}",
            [(0, 9000)],
            "step 1: the bot was not silent for 1s within 2s",
        ),
        ("- wait_for_checkpoint: {within: 2s}", [], "step 1: a checkpoint was not reached within 2s"),
        ("- wait_for_digits: {within: 2s}", [], "step 1: the bot did not send any keys"),
        ("- wait_for_hang_up: 2s", [], "step 1: the bot did not end the call within 2s"),
        ("- wait_for_clear: 2s", [], "step 1: the bot did not clear what it had queued within 2s"),
        (
            "- barge_in: {sound: mm-hm, after: 600ms, within: 2s}",
            [(0, 500)],
            "did not talk for 600ms within 2s",
        ),
        ("- backchannel: {within: 2s}", [(0, 500)], "step 1: the bot did not talk for 500ms within 2s"),
    ],
)
def test_who_waits_in_vain_hangs_up(folder: Path, steps: str, talks: list[tuple[int, int]], why: str) -> None:
    heard = Rehearsal(talks=talks).play(scenario(steps + "\n- say: second.wav"), folder)
    assert heard.ended_ms == 2000
    assert len(heard.person.failures) == 1
    assert why in heard.person.failures[0]
    assert heard.person.moments[-1].kind == "failure"


def test_a_call_may_end_only_where_that_is_waited_for(folder: Path) -> None:
    steps = scenario("- say: second.wav\n- wait_for_hang_up: 5s\n- say: second.wav")
    heard = Rehearsal().play(steps, folder, limit_ms=500)
    heard.person.ended("bot closed")
    assert heard.person.failures == ["step 1: bot closed before the person was through"]
    heard = Rehearsal().play(steps, folder, limit_ms=2000)
    heard.person.ended("bot closed")
    assert heard.person.failures == []
    heard = Rehearsal().play(scenario("- hang_up"), folder)
    heard.person.ended("caller hung up")
    assert heard.person.failures == []


# --- expectations ---


def expected(folder: Path, steps: str, talks: list[tuple[int, int]], *clears_ms: int) -> list[str]:
    events = [(at_ms, QueueCleared()) for at_ms in clears_ms]
    heard = Rehearsal(talks=talks, events=events).play(scenario(steps), folder)
    assert heard.person.over
    return heard.person.failures


ASK = "- say: framed.wav\n"  # words from 300 to 700 ms, 1,000 ms in all
RESPONSE = ASK + "- expect: {response_within: 800ms}"


def test_a_response_counts_from_the_last_word_not_from_the_end_of_the_file(folder: Path) -> None:
    assert expected(folder, RESPONSE, [(1500, 2000)]) == []
    (late,) = expected(folder, RESPONSE, [(1520, 2000)])
    assert late == "step 2: the bot answered after 820ms, which is more than 800ms"
    (late,) = expected(folder, RESPONSE, [(2000, 3000)])
    assert late == "step 2: the bot did not answer within 800ms"


def test_a_response_that_has_already_come_and_gone_counts(folder: Path) -> None:
    steps = ASK + "- wait_for_speech\n- wait_for_silence\n- expect: {response_within: 800ms}"
    assert expected(folder, steps, [(1400, 3000)]) == []


def test_a_bot_that_talks_all_the_time_has_not_answered(folder: Path) -> None:
    assert "did not answer" in expected(folder, RESPONSE, [(0, 5000)])[0]
    assert expected(folder, RESPONSE, [(520, 5000)]) == []  # on the last word: at once


BARGE = "- barge_in: {file: second.wav, after: 500ms}\n"  # the bot talks from 100 on: at 600 ms


def test_a_barge_in_is_to_silence_the_bot(folder: Path) -> None:
    steps = BARGE + "- expect: {silent_within: 400ms}"
    assert expected(folder, steps, [(100, 1000)]) == []
    (late,) = expected(folder, steps, [(100, 1020)])
    assert late == "step 2: the bot was still heard after 420ms, which is more than 400ms"
    assert "still heard" in expected(folder, steps, [(100, 9000)])[0]
    assert expected(folder, steps, [(100, 900), (1000, 1500)], 900) == []  # an answer right after the clear


def test_a_barge_in_is_to_bring_a_clear(folder: Path) -> None:
    steps = BARGE + "- expect: {clear_within: 300ms}"
    assert expected(folder, steps, [(100, 3000)], 900) == []
    assert "after 320ms" in expected(folder, steps, [(100, 3000)], 920)[0]
    assert "did not clear" in expected(folder, steps, [(100, 3000)])[0]
    assert "did not clear" in expected(folder, steps, [(100, 3000)], 400)[0]  # before the barge-in


HUM = "- backchannel: {after: 500ms}\n- expect: {goes_on_for: 1s}"


def test_a_back_channel_is_no_reason_to_stop(folder: Path) -> None:
    assert expected(folder, HUM, [(100, 4000)]) == []
    assert expected(folder, HUM, [(100, 1000), (1500, 4000)]) == []  # a breath
    assert "ceased to talk" in expected(folder, HUM, [(100, 900)])[0]
    assert "broke off" in expected(folder, HUM, [(100, 4000)], 1000)[0]


def test_silence_can_be_expected(folder: Path) -> None:
    steps = "- pause: 1s\n- expect: {quiet_for: 2s}"
    assert expected(folder, steps, [(0, 900)]) == []
    assert expected(folder, steps, [(3100, 4000)]) == []
    (heard,) = expected(folder, steps, [(2500, 4000)])
    assert heard == "step 2: the bot was heard, where 2s of silence were expected"


def test_each_thing_expected_fails_by_itself_and_the_call_goes_on(folder: Path) -> None:
    steps = BARGE + "- expect: {clear_within: 300ms, silent_within: 300ms}\n- digits: 1"
    heard = Rehearsal(talks=[(100, 9000)]).play(scenario(steps), folder)
    assert len(heard.person.failures) == 2
    assert heard.keys


# --- what is on the line besides ---


def test_one_seed_gives_the_same_sound_and_another_seed_another(folder: Path) -> None:
    of = scenario(
        "- wait_for_speech\n- barge_in: second.wav\n- digits: 12",
        "background:\n  noise: {colour: pink, snr: 10dB}\n  echo: {level: -20dB, delay: 130ms}\nseed: 4",
    )

    def play(seed: str) -> bytes:
        return Rehearsal(talks=[(300, 3000)]).play(of, folder, seed=seed).words.tobytes()

    assert play("call 1") == play("call 1")
    assert play("call 1") != play("call 2")


@pytest.mark.parametrize("colour", ["white", "pink"])
def test_noise_is_as_much_softer_than_speech_as_asked_for(folder: Path, colour: str) -> None:
    of = scenario("- pause: 5s\n- say: framed.wav", f"background: {{noise: {{colour: {colour}, snr: 12dB}}}}")
    heard = Rehearsal().play(of, folder)
    noise = heard.words[: 5 * 16_000].astype(float)
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(8000 / 2**0.5 * 10 ** (-12 / 20), rel=0.1)
    power = np.abs(np.fft.rfft(noise)) ** 2
    low, high = power[5 * 200 : 5 * 400].mean(), power[5 * 3200 : 5 * 6400].mean()
    assert 10 * np.log10(low / high) == pytest.approx(0 if colour == "white" else 12, abs=1)


def test_noise_can_be_a_recording_that_goes_in_circles(folder: Path) -> None:
    of = scenario("- pause: 3s", "background: {noise: {file: second.wav, snr: 20dB}}")
    heard = Rehearsal().play(of, folder).words[: 3 * 16_000].astype(float)
    # Nobody says anything: it is measured by the usual level, -26 dBov.
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(32_767 * 10 ** (-46 / 20), rel=0.02)
    assert np.abs(np.fft.rfft(heard)).argmax() == 900  # 300 Hz, without a gap


def test_the_bot_s_echo_comes_back_later_and_softer(folder: Path) -> None:
    of = scenario("- pause: 3s", "background: {echo: {level: -20dB, delay: 130ms}}")
    heard = Rehearsal(talks=[(1000, 2000)]).play(of, folder)
    loud = np.flatnonzero(heard.words)
    # In the frame in which it is heard, and 130 ms later.
    assert loud[0] / 16 == pytest.approx(980 + 130, abs=1)
    assert loud[-1] / 16 == pytest.approx(1980 + 130, abs=1)
    assert np.abs(heard.words).max() == pytest.approx(600, rel=0.02)


def test_the_words_alone_are_told_apart_from_what_is_on_the_line(folder: Path) -> None:
    of = scenario("- say: second.wav\n- pause: 1s", "background: {noise: {colour: pink, snr: 10dB}}")
    said = Rehearsal().play(of, folder).said
    assert said[10].speech is not None and said[70].speech is not None
    assert said[10].speech.any() and not said[70].speech.any()
    assert said[70].frame.any()
    assert Rehearsal().play(scenario("- say: second.wav"), folder).said[0].speech is None


def test_a_call_that_is_held_begins_its_scenario_anew_until_the_time_is_up(folder: Path) -> None:
    of = scenario("- say: second.wav\n- pause: 500ms")
    person = Person(of, load_clips(of, folder, 16_000), hold_ms=4000)
    said = [person.tick(np.zeros(320, np.int16), []) for _ in range(220)]
    loud = [tick * 20 for tick, says in enumerate(said) if says.frame.any()]
    assert [at for at in loud if at - 20 not in loud] == pytest.approx([0, 1500, 3000], abs=40)
    assert [says.hangs_up for says in said].index(True) == 200
    assert person.failures == []
