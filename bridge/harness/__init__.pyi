# What `from bridge.harness import …` gives: read by type checkers, and by front_door.py.
# isort: skip_file

# A call in which the test takes part, and whole runs.
from bridge.harness.live_call import LiveCall as LiveCall
from bridge.harness.live_course import NotMet as NotMet
from bridge.harness.live_sound import Heard as Heard
from bridge.harness.testing import HarnessLate as HarnessLate
from bridge.harness.testing import RunFailed as RunFailed
from bridge.harness.testing import calling as calling
from bridge.harness.testing import check as check
from bridge.harness.testing import play as play

# Bots to be called.
from bridge.harness.bot_host import BotNotStarted as BotNotStarted
from bridge.harness.bot_host import BotProcess as BotProcess
from bridge.harness.bot_host import running_bot as running_bot
from bridge.harness.bot_host import serving as serving

# Bots with an answer URL, or that hang up by REST: `exchange=` wherever calls are made (docs/answer_urls.md).
from bridge.harness.account import Account as Account
from bridge.harness.answer_course import AnswerSettings as AnswerSettings
from bridge.harness.exchange import ExchangeSettings as ExchangeSettings

# The types of the fixtures.
from bridge.harness.bench import RunCalls as RunCalls
from bridge.harness.bench import RunScenario as RunScenario
from bridge.harness.bench import SimulatedCall as SimulatedCall
from bridge.harness.bench import VoiceBot as VoiceBot

# What came of it.
from bridge.harness.results import CallResult as CallResult
from bridge.harness.results import Moment as Moment
from bridge.harness.results import Response as Response
from bridge.harness.results import RunResult as RunResult
from bridge.harness.results import Threshold as Threshold
from bridge.harness.run_report import ReportFolder as ReportFolder
from bridge.harness.session_report import SessionReport as SessionReport

# Scenarios, as values and from files.
from bridge.harness.scenario import Backchannel as Backchannel
from bridge.harness.scenario import Background as Background
from bridge.harness.scenario import BargeIn as BargeIn
from bridge.harness.scenario import Digits as Digits
from bridge.harness.scenario import Echo as Echo
from bridge.harness.scenario import Expect as Expect
from bridge.harness.scenario import HangUp as HangUp
from bridge.harness.scenario import Noise as Noise
from bridge.harness.scenario import Pause as Pause
from bridge.harness.scenario import Repeat as Repeat
from bridge.harness.scenario import Say as Say
from bridge.harness.scenario import Scenario as Scenario
from bridge.harness.scenario import ScenarioError as ScenarioError
from bridge.harness.scenario import WaitForCheckpoint as WaitForCheckpoint
from bridge.harness.scenario import WaitForClear as WaitForClear
from bridge.harness.scenario import WaitForDigits as WaitForDigits
from bridge.harness.scenario import WaitForHangUp as WaitForHangUp
from bridge.harness.scenario import WaitForSilence as WaitForSilence
from bridge.harness.scenario import WaitForSpeech as WaitForSpeech
from bridge.harness.scenario_file import parse_scenario as parse_scenario
from bridge.harness.scenario_file import read_scenario as read_scenario

# What goes wrong between caller and service.
from bridge.harness.scenario_faults import Jitter as Jitter
from bridge.harness.scenario_faults import LateStart as LateStart
from bridge.harness.scenario_faults import Loss as Loss
from bridge.harness.scenario_faults import Malformed as Malformed
from bridge.harness.scenario_faults import OtherCodec as OtherCodec
from bridge.harness.scenario_faults import Redial as Redial
from bridge.harness.scenario_faults import Reordering as Reordering
from bridge.harness.scenario_faults import SlowReading as SlowReading

# The parts of which all this is made.
from bridge.harness.bot_test import BotTest as BotTest
from bridge.harness.bot_test import Part as Part
from bridge.harness.bot_test import RunPlan as RunPlan
from bridge.harness.call_ids import new_call as new_call
from bridge.harness.call_socket import CallFailed as CallFailed
from bridge.harness.lateness import LateLimits as LateLimits
from bridge.harness.measured_call import MeasuredCall as MeasuredCall
from bridge.harness.person import Person as Person
from bridge.harness.plivo_caller import PlivoCaller as PlivoCaller
from bridge.harness.run_command import plan_run as plan_run
from bridge.harness.run_command import run_test as run_test
from bridge.harness.run_summary import summary as summary
from bridge.harness.stage import Stage as Stage
from bridge.harness.talker import Talker as Talker
from bridge.harness.thresholds import read_threshold as read_threshold
from bridge.harness.voice import HeardEvent as HeardEvent
from bridge.harness.voice import Says as Says
from bridge.harness.voice import Voice as Voice
from bridge.harness.witness import Witness as Witness
