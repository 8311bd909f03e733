"""Hardware tokens leave the factory, and their seeds with them."""

import re
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from tokenkit.scenario.code_device import CodeDevice
from tokenkit.scenario.durations import Duration, clock_text
from tokenkit.scenario.names import Names, WrongNameError
from tokenkit.scenario.places import Place
from tokenkit.scenario.record import DeviceRecord, Stay
from tokenkit.scenario.steps.base import Step
from tokenkit.virtual import Crystal, TokenSpec, write_csv, write_pskc
from tokenkit.virtual import Step as ClockStep

if TYPE_CHECKING:
    from tokenkit.scenario.stage import Stage


class PlantedClock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A clock without whims: ``offset`` ahead when it is made, it gains ``rate_ppm`` for ever."""

    offset: Duration = Duration(0)
    rate_ppm: Annotated[float, msgspec.Meta(ge=-1000, le=1000)] = 0.0

    def planted(self, spec: TokenSpec) -> TokenSpec:
        """``spec`` with a crystal that has that rate, and nothing else."""
        crystal = Crystal(
            tolerance_ppm=self.rate_ppm,
            parabola_ppm_per_c2=0.0,
            ageing_ppm_first_year=0.0,
            random_walk_adev_1day=0.0,
            white_adev_1s=0.0,
        )
        return replace(spec, crystal=crystal)


class MakeBatch(Step, frozen=True, kw_only=True):
    """Make hardware tokens whose serial numbers begin with ``prefix``; ``tokens`` names them.

    Their clocks are those of crystals, each with its own error, or all have the ``clock`` given.
    """

    prefix: str
    tokens: Annotated[list[str], msgspec.Meta(min_length=1, max_length=1000)]
    place: Place = Place("desk")
    algorithm: Literal["SHA1", "SHA256", "SHA512"] = "SHA1"
    digits: Literal[6, 7, 8] = 6
    period: Literal[30, 60] = 30
    clock: PlantedClock | None = None

    def check(self, names: Names) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_+=/:,.@-]{1,248}", self.prefix):
            raise WrongNameError(
                "prefix",
                f"no serial number can begin with {self.prefix!r}:"
                " write 1 to 248 of A-Z a-z 0-9 _ + = / : , . @ -",
            )
        names.make("prefix", "batch", self.prefix)
        for number, token in enumerate(self.tokens):
            names.make(f"tokens.{number}", "token", token)

    def text(self) -> str:
        count = len(self.tokens)
        made = f"the factory makes {count} TOTP token{'' if count == 1 else 's'}"
        if self.clock is None:
            return made
        clock = f"{clock_text(self.clock.offset)} off and gains {self.clock.rate_ppm:g} ppm"
        return f"{made}, whose clock is {clock}"

    def run(self, stage: "Stage") -> Iterable[str]:
        batch = stage.world.make_batch(
            self.prefix,
            len(self.tokens),
            algorithm=self.algorithm,
            digits=self.digits,
            period_s=self.period,
        )
        stage.batches[self.prefix] = batch
        for name, spec in zip(self.tokens, batch.tokens, strict=True):
            if self.clock is not None:
                spec = self.clock.planted(spec)
            token = stage.world.token(spec, place=self.place.environment())
            if self.clock is not None and self.clock.offset:
                token.token_clock.add(ClockStep(stage.now(), self.clock.offset))
            record = DeviceRecord(name, "token", spec.serial_number)
            record.period_s = self.period
            record.window_steps = stage.totp_policy.window_steps
            record.stays.append(Stay(stage.now(), str(self.place)))
            stage.add(name, CodeDevice(token, record))
        return ()


class ShipSeeds(Step, frozen=True, kw_only=True):
    """The seed file of a batch goes from the factory into the verifier.

    ``encrypted`` PSKC (RFC 6030) travels under a pre-shared key that both sides know.
    """

    prefix: str
    format: Literal["pskc", "csv"] = "pskc"
    encrypted: bool = False

    def check(self, names: Names) -> None:
        names.ship("prefix", self.prefix)
        if self.encrypted and self.format == "csv":
            raise WrongNameError("encrypted", 'a CSV file has no encryption; use format = "pskc"')

    def text(self) -> str:
        how = "encrypted PSKC" if self.encrypted else self.format.upper()
        return f"the seeds of {self.prefix}… reach the verifier as {how}"

    def run(self, stage: "Stage") -> Iterable[str]:
        specs = stage.batches[self.prefix].tokens
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"seeds.{'csv' if self.format == 'csv' else 'xml'}"
            pre_shared_key = None
            if self.format == "csv":
                write_csv(specs, path)
            else:
                if self.encrypted:
                    pre_shared_key = stage.world.child_entropy(f"transport {self.prefix}").bytes(16)
                write_pskc(specs, path, pre_shared_key)
            serial_numbers = stage.verifier.import_seeds(path, pre_shared_key=pre_shared_key)
        first, last = serial_numbers[0], serial_numbers[-1]
        stage.note(f"{first} to {last}" if last != first else first)
        return ()
