"""The steps that a scenario is made of: one file a family, one class a step."""

from tokenkit.scenario.steps.account import CreateUser, ExpectDevices, Remove
from tokenkit.scenario.steps.app import CreateApp, Scan
from tokenkit.scenario.steps.clock import ChangeBattery, ChangeRate, StepClock, StopClock
from tokenkit.scenario.steps.codes import Enrol, Replay, Resync, SignIn, Unlock
from tokenkit.scenario.steps.key import Assert, Register, SetPin
from tokenkit.scenario.steps.plug import CloneKey, MakeKey, PlugIn, PowerCycle, Unplug
from tokenkit.scenario.steps.server import (
    PauseServer,
    RestoreServer,
    SlewServer,
    SnapshotServer,
    StepServer,
)
from tokenkit.scenario.steps.time import Move, Wait, WaitUntil
from tokenkit.scenario.steps.token import MakeBatch, ShipSeeds

AnyStep = (
    Assert
    | ChangeBattery
    | ChangeRate
    | CloneKey
    | CreateApp
    | CreateUser
    | Enrol
    | ExpectDevices
    | MakeBatch
    | MakeKey
    | Move
    | PauseServer
    | PlugIn
    | PowerCycle
    | Register
    | Remove
    | Replay
    | Resync
    | RestoreServer
    | Scan
    | SetPin
    | ShipSeeds
    | SignIn
    | SlewServer
    | SnapshotServer
    | StepClock
    | StepServer
    | StopClock
    | Unlock
    | Unplug
    | Wait
    | WaitUntil
)

__all__ = ["AnyStep"]
