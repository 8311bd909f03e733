"""authenticatorBioEnrollment as FIDO_2_1_PRE had it, under a vendor's command byte."""

from dataclasses import replace

from firmware_sim.fido.command import Command
from firmware_sim.fido.commands import bio_enrollment

COMMAND: Command = replace(
    bio_enrollment.COMMAND,
    code=0x40,
    options=("userVerificationMgmtPreview",),
    info=lambda authenticator: {
        0x04: {"userVerificationMgmtPreview": authenticator.fingerprints.is_enrolled}
    },
)
