"""The steps that a scenario is made of: one file a family, one class a step."""

from tokenkit.scenario.steps.account import CreateUser, ExpectDevices, Remove
from tokenkit.scenario.steps.app import CreateApp, Scan
from tokenkit.scenario.steps.clock import ChangeBattery, StepClock, StopClock
from tokenkit.scenario.steps.codes import Enrol, Replay, Resync, SignIn, Unlock
from tokenkit.scenario.steps.key import Assert, Register, SetPin
from tokenkit.scenario.steps.plug import CloneKey, MakeKey, PlugIn, PowerCycle, Unplug
from tokenkit.scenario.steps.time import Move, Wait
from tokenkit.scenario.steps.token import MakeBatch, ShipSeeds

AnyStep = (
    Assert
    | ChangeBattery
    | CloneKey
    | CreateApp
    | CreateUser
    | Enrol
    | ExpectDevices
    | MakeBatch
    | MakeKey
    | Move
    | PlugIn
    | PowerCycle
    | Register
    | Remove
    | Replay
    | Resync
    | Scan
    | SetPin
    | ShipSeeds
    | SignIn
    | StepClock
    | StopClock
    | Unlock
    | Unplug
    | Wait
)

__all__ = ["AnyStep"]
