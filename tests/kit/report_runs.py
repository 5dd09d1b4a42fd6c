"""Made-up runs of a test of a voice bot, the same for the same seed: for the report's tests and pictures."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from bridge.harness.capacity_results import CapacityResult, CapacityStep
from bridge.harness.results import BargeIn, CallResult, EndReason, Moment, Response, RunResult, Threshold
from bridge.harness.rules import RULES
from bridge.harness.thresholds import read_threshold
from bridge.spread import Summary
from bridge.turns.report import SideReport, TurnReport

STARTED = 1_795_190_400.0
FRAME_MS = 20
SILENCE = -127
THRESHOLDS = (
    "response_p95<900ms", "first_heard_p95<1.5s", "barge_in_p90<500ms", "overtalk_p95<8%", "failed_share<5%",
)  # fmt: skip


def percentile(values: list[float], share: float) -> float | None:
    """By the plain definition, in other words than the report's own."""
    ordered = sorted(values)
    for count, value in enumerate(ordered, 1):
        if 1e9 * count >= round(1e9 * share * len(ordered)):
            return value
    return None


@dataclass
class Conversation:
    """One call as it is made up, from its beginning on."""

    dice: random.Random
    duration_ms: int
    slowness: float = 1.0
    at: int = 0
    caller: list[int] = field(default_factory=list)
    bot: list[int] = field(default_factory=list)
    timeline: list[Moment] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    barge_ins: list[BargeIn] = field(default_factory=list)
    gaps: int = 0
    gap_ms: int = 0

    def __post_init__(self) -> None:
        frames = self.duration_ms // FRAME_MS
        self.caller = [self.dice.choice((-74, -72, -71, -70)) for _ in range(frames)]
        self.bot = [SILENCE] * frames

    def speak(self, levels: list[int], begin_ms: int, until_ms: int, loud: int) -> None:
        """Syllables of 120 to 260 ms, with dips between."""
        at, until = begin_ms // FRAME_MS, min(until_ms // FRAME_MS, len(levels))
        while at < until:
            size = self.dice.randint(6, 14)
            peak = loud - self.dice.choice((0, 1, 3, 5, 8, 12, 16))
            for step in range(min(size, until - at)):
                from_middle = abs(2 * (step + 0.5) / size - 1)
                levels[at + step] = max(-49, peak - int(20 * from_middle**2) - self.dice.randint(0, 3))
            at += size
            if self.dice.random() < 0.12:
                at += self.dice.randint(3, 8)  # a breath

    def note(self, at_ms: int, kind: str, text: str = "") -> None:
        self.timeline.append(Moment(at_ms, kind, text))

    def greet(self) -> int:
        begin = int(self.dice.gauss(620, 90) * self.slowness)
        until = begin + self.dice.randint(1_900, 2_600)
        self.speak(self.bot, begin, until, -17)
        self.note(begin - 60, "mark", "greeting")
        self.note(until, "played", "greeting")
        self.at = until + 500
        return begin

    def ask(self, *, deaf: bool = False, barge_in: bool = False, digits: str = "") -> None:
        asked = self.at + self.dice.randint(1_300, 2_700)
        self.note(self.at, "step", "say question.wav")
        self.speak(self.caller, self.at, asked, -21)
        if digits:
            asked += 400
            self.note(asked - 200, "digit", digits)
        if deaf:
            self.responses.append(Response(asked, None, None))
            self.at = asked + 6_000
            return
        delay = int(max(260, self.dice.lognormvariate(6.35, 0.24)) * self.slowness) // FRAME_MS * FRAME_MS
        self.responses.append(Response(asked, delay, delay - self.dice.randint(40, 120)))
        begin, length = asked + delay, self.dice.randint(2_400, 5_200)
        if barge_in:
            self.interrupt(begin, begin + length)
            return
        self.speak(self.bot, begin, begin + length, -17)
        if self.dice.random() < 0.12 * self.slowness:
            gap = self.dice.choice((60, 80, 140, 180))
            middle = (begin + length // 2) // FRAME_MS
            self.bot[middle : middle + gap // FRAME_MS] = [SILENCE] * len(
                self.bot[middle : middle + gap // FRAME_MS]
            )
            self.gaps, self.gap_ms = self.gaps + 1, self.gap_ms + gap
        if self.dice.random() < 0.25:
            self.speak(self.caller, begin + 1_100, begin + 1_420, -27)
            self.note(begin + 1_100, "step", "backchannel")
        self.note(begin - 40, "mark", f"answer {len(self.responses)}")
        self.note(begin + length, "played", f"answer {len(self.responses)}")
        self.at = begin + length + self.dice.randint(300, 900)

    def interrupt(self, begin: int, until: int) -> None:
        at = begin + 1_300
        clear = int(self.dice.gauss(290, 60) * self.slowness)
        silence = clear + self.dice.choice((20, 40, 60))
        asked = at + self.dice.randint(1_300, 1_900)
        self.note(begin - 40, "mark", f"answer {len(self.responses)}")
        self.note(at, "step", "barge in: stop.wav")
        self.speak(self.caller, at, asked, -19)
        if self.dice.random() < 0.12:
            self.barge_ins.append(BargeIn(at, None, None))
            self.speak(self.bot, begin, until, -17)
            self.at = until + 400
            return
        self.note(at + clear, "clear")
        self.note(at + clear + 20, "cleared")
        self.barge_ins.append(BargeIn(at, clear, silence))
        self.speak(self.bot, begin, at + silence, -17)
        delay = int(self.dice.gauss(640, 90) * self.slowness)
        self.responses.append(Response(asked, delay, delay - 60))
        self.speak(self.bot, asked + delay, asked + delay + 2_000, -17)
        self.at = asked + delay + 2_600


def speech(levels: list[int]) -> list[tuple[int, int]]:
    """Utterances: what is louder than -50 dBov, with no 200 ms of silence between."""
    found: list[tuple[int, int]] = []
    for at, level in enumerate(levels):
        if level <= -50:
            continue
        begin = at * FRAME_MS
        if found and begin - found[-1][1] < 200:
            begin = found.pop()[0]
        found.append((begin, (at + 1) * FRAME_MS))
    return found


def _turns(call: Conversation) -> TurnReport:
    caller = [level > -50 for level in call.caller]
    bot = [level > -50 for level in call.bot]
    both = FRAME_MS * sum(one and other for one, other in zip(caller, bot, strict=True))
    anybody = FRAME_MS * sum(one or other for one, other in zip(caller, bot, strict=True))
    return TurnReport(
        0,
        call.duration_ms,
        caller=SideReport(len(call.responses), len(call.responses), FRAME_MS * sum(caller)),
        bot=SideReport(len(call.responses) + 1, len(call.responses) + 1, FRAME_MS * sum(bot)),
        overtalk=Summary(n=1, min=both, p50=both, p95=both, max=both) if both else Summary(),
        overtalk_ms=both,
        overtalk_share=both / anybody if anybody else 0.0,
        not_yielded=sum(one.silence_ms is None for one in call.barge_ins),
        underruns=call.gaps,
    )


def make_call(number: int, dice: random.Random, begins: float, load: float, hold_ms: int) -> CallResult:
    """One call; `load` (0…1) makes the bot slower and more likely to fail."""
    call_id = f"{dice.getrandbits(32):08x}-{dice.getrandbits(16):04x}-4{dice.getrandbits(12):03x}"
    scenario = dice.choice(("opening hours", "opening hours", "interrupt the bot", "pay by card"))
    if dice.random() < 0.03 * load:
        return CallResult(
            number, call_id, scenario, begins, 10_000, "connect failed", "no answer within 10 s",
            failures=["could not connect: no answer within 10 s"],
        )  # fmt: skip
    end: EndReason = "caller hung up"
    duration = int(hold_ms * dice.uniform(0.85, 1.0)) // FRAME_MS * FRAME_MS
    detail, failures, violations = "", [], {}
    if dice.random() < 0.05 * load:
        end, detail = "bot failed", "1011 internal error"
        duration = int(duration * dice.uniform(0.3, 0.8)) // FRAME_MS * FRAME_MS
        failures.append("the bot closed its socket with 1011 (internal error)")
    call = Conversation(dice, duration, 0.85 + 0.5 * load**2 + (0.9 if dice.random() < 0.03 else 0))
    first = call.greet()
    deaf = dice.random() < 0.04
    while call.at < duration - 12_000:
        call.ask(
            deaf=deaf and len(call.responses) == 2,
            barge_in=scenario == "interrupt the bot" and len(call.responses) % 3 == 1,
            digits="4711#" if scenario == "pay by card" and len(call.responses) == 1 else "",
        )
    if any(response.heard_ms is None for response in call.responses):
        failures.append(f"no response within 6,000 ms at {call.responses[2].asked_ms} ms")
    if any(one.silence_ms is None for one in call.barge_ins):
        failures.append("the bot went on after a barge-in")
    if dice.random() < 0.05:
        violations["wrong_rate"] = dice.randint(1, 40)
        call.note(dice.randrange(duration), "violation", "wrong_rate")
    if dice.random() < 0.02:
        violations["not_json"] = 1
        call.note(dice.randrange(duration), "violation", "not_json")
    if dice.random() < 0.06:
        violations["checkpoint_without_audio"] = dice.randint(1, 3)
        call.note(dice.randrange(duration), "violation", "checkpoint_without_audio")
    if end == "caller hung up" and dice.random() < 0.15:
        end, detail = dice.choice(
            (("bot hung up", "by REST"), ("bot closed", "1000"), ("bot closed", "1000"))
        )
    failures += [f"{name}: {RULES[name].text}" for name in violations if RULES[name].fails]
    if dice.random() < 0.2:
        call.note(dice.randrange(duration), "fault", "frames held back for 180 ms")
    return CallResult(
        number, call_id, scenario, begins, duration, end, detail,
        connect_ms=round(dice.gauss(38, 9) * (1 + load), 1),
        first_audio_ms=float(first - 60),
        first_heard_ms=float(first),
        responses=call.responses,
        barge_ins=call.barge_ins,
        turns=_turns(call),
        gaps=call.gaps,
        gap_ms=call.gap_ms,
        violations=violations,
        checkpoints=sum(moment.kind == "mark" for moment in call.timeline),
        checkpoints_played=sum(moment.kind == "played" for moment in call.timeline),
        checkpoints_cleared=sum(moment.kind == "clear" for moment in call.timeline),
        bytes_in=duration * 28,
        bytes_out=duration * 44,
        late_ms=round(abs(dice.gauss(1.1, 0.8)), 2),
        failures=failures,
        timeline=call.timeline,
        caller_levels=call.caller,
        bot_levels=call.bot,
        caller_speech=speech(call.caller),
        bot_speech=speech(call.bot),
    )  # fmt: skip


def make_run(
    calls: int = 60,
    *,
    seed: int = 7,
    hold_ms: int = 45_000,
    per_second: float = 2.0,
    thresholds: tuple[str, ...] = THRESHOLDS,
) -> RunResult:
    """A run of a bot that gets slower under load and is not quite right."""
    dice = random.Random(seed)
    busiest = min(calls, per_second * hold_ms / 1000)
    made = []
    for number in range(1, calls + 1):
        begins = STARTED + (number - 1) / per_second + dice.uniform(0, 0.2)
        made.append(make_call(number, dice, begins, min(1.0, number / max(1.0, busiest)), hold_ms))
    return RunResult(
        "wss://bots.example/stream/opening-hours",
        STARTED,
        int(1000 * (max((c.started_at + c.duration_ms / 1000 for c in made), default=STARTED) - STARTED)),
        made,
        [read_threshold(text).judge(made) for text in thresholds],
        settings={
            "Scenario": "clinic.yaml",
            "Arrivals": f"{per_second:g} a second",
            "Hold": f"{hold_ms / 1000:g} s",
            "Codec": "audio/x-l16, 16 kHz",
            "Faults": "jitter 40 ms in every 5th call",
        },
        seed=seed,
    )


def make_capacity(*, late: bool = False, report: bool = False) -> CapacityResult:
    """A bot that holds 65 calls and breaks at 70; or, `late`, a harness that gave out at 128."""
    made = [
        (10, "held"),
        (20, "held"),
        (40, "held"),
        (80, "broke"),
        (60, "held"),
        (70, "broke"),
        (65, "held"),
    ]
    if late:
        made = [(10, "held"), (20, "held"), (40, "held"), (80, "held"), (160, "harness late"), (120, "held")]
    steps = []
    for at, (calls, verdict) in enumerate(made):
        p50 = 420 + (0.8 if late else 2.4) * calls + (0 if verdict == "held" else 160)
        p95 = 1.35 * p50 + 1.2 * calls
        failed = calls // 9 if verdict == "broke" else 0
        late_ms = 214.0 if verdict == "harness late" else 1.2 + calls / 60
        because = {
            "broke": f"{failed} of {calls} calls failed, and response_p95<900ms was {p95:.0f} ms.",
            "harness late": f"The harness itself was {late_ms:.0f} ms late.",
        }.get(verdict, "")
        asked = (
            Threshold("response_p95<900ms", round(p95), p95 < 900),
            Threshold("failed_share<5%", round(100 * failed / calls, 1), not failed),
        )
        steps.append(
            CapacityStep(
                calls, verdict, because, STARTED + 70 * at, 62_000 + 13 * calls, failed, [*asked],  # type: ignore[arg-type]
                connect_p95_ms=30.0 + calls / 2, response_p50_ms=round(p50), response_p95_ms=round(p95),
                response_max_ms=round(1.6 * p95), unanswered=failed // 2,
                barge_in_clear_p95_ms=310.0 if calls < 80 else None, late_ms=round(late_ms, 1),
                report=f"steps/{at + 1:02} {calls} calls" if report else None,
            )
        )  # fmt: skip
    return CapacityResult(
        "wss://bots.example/stream/opening-hours",
        STARTED,
        70_000 * len(steps),
        steps,
        "harness late" if late else "found",
        held=120 if late else 65,
        broke=None if late else 70,
        harness_late_at=160 if late else None,
        at_least=50,
        precision=0.1,
        settings={"Scenario": "clinic.yaml", "Hold": "60 s", "Codec": "audio/x-l16, 16 kHz"},
        seed=7,
    )


HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "]]><img src=x onerror=alert(1)>",
    "\u202egnirts\u2066 \u0000\u0007 \ud800 \U0001f469\u200d\U0001f680",
    "%%json%% %%script%% %%policy%%",
    "&lt;b&gt; \" ' ` ${alert(1)} \u2028\u2029",
    "javascript:alert(1)",
    "__proto__",
    "constructor",
    "Z" + "\u0310\u0489" * 300,
    "x" * 5_000,
)


def hostile_run() -> RunResult:
    """Every text there is, hostile; one call for each, and one with them all."""
    run = make_run(len(HOSTILE), hold_ms=20_000)
    calls = [
        replace(
            call,
            call_id=text,
            scenario=text,
            end_detail=text,
            failures=[text],
            violations={text: 2},
            timeline=[*call.timeline, Moment(1_000, text, text), Moment(1_200, "mark", text)],
            wav=text,
        )
        for call, text in zip(run.calls, HOSTILE, strict=True)
    ]
    last = replace(
        calls[-1],
        number=len(calls) + 1,
        failures=list(HOSTILE),
        violations=dict.fromkeys(HOSTILE, 1),
        timeline=[Moment(100 * at, text, text) for at, text in enumerate(HOSTILE)],
    )
    return replace(
        run,
        target=HOSTILE[0],
        calls=[*calls, last],
        settings=dict(zip(HOSTILE, HOSTILE, strict=True)),
        thresholds=[Threshold(text, None, False) for text in HOSTILE],
        valid=False,
        invalid_because=HOSTILE[1],
    )
