"""``usbmon.pcapng``: what Wireshark's dumpcap caught on a Linux 6.1 bus with a key on it.

The key was a virtual YubiKey 5.4 as a USB gadget; libfido2 (``fido2-token -I`` and ``-S``, PIN
123456) and python-fido2 (registration, sign-in, PING, U2F registration) used it by hidraw.
"""

from pathlib import Path
from typing import Any

from tokenkit.keys.trace.compare import compare
from tokenkit.keys.trace.replay import replay
from tokenkit.keys.trace.reports import read_trace

CAPTURE = Path(__file__).with_name("usbmon.pcapng")


def nobody(*args: Any) -> None:
    raise AssertionError("a virtual key needs no care")


def test_it_is_read_in_words(wire: Any) -> None:
    lines = wire.words_of(CAPTURE)
    assert not any("broken" in line for line in lines)
    asked = [line.split(" {")[0] for line in lines if line.startswith("> ")]
    assert asked == [
        "> INIT",
        "> CBOR authenticatorGetInfo",
        "> CBOR authenticatorGetInfo",
        "> CBOR authenticatorClientPIN.getPINRetries",
        "> CBOR authenticatorClientPIN.getUVRetries",
        "> CBOR authenticatorBioEnrollmentPreview.getFingerprintSensorInfo",
        "> INIT",
        "> CBOR authenticatorGetInfo",
        "> CBOR authenticatorMakeCredential",
        "> CBOR authenticatorGetAssertion",
        "> INIT",
        f"> PING h'{bytes(range(200)).hex()}'",
        "> MSG U2F_REGISTER",
        "> MSG U2F_REGISTER",
        "> MSG U2F_REGISTER",
        "> INIT",
        "> CBOR authenticatorGetInfo",
        "> CBOR authenticatorClientPIN.getKeyAgreement",
        "> CBOR authenticatorClientPIN.setPIN",
    ]
    assert lines[-1] == "< CBOR SUCCESS"
    assert sum(line.startswith("< KEEPALIVE") for line in lines) == 6


def test_another_key_answers_alike_until_it_is_to_know_a_credential() -> None:
    outcome = replay(read_trace(CAPTURE), "virtual:yubikey-5.4?seed=2", nobody)
    assert outcome.same == 9
    found = outcome.difference
    assert found is not None
    assert found.second is not None
    assert found.second.name == "NO_CREDENTIALS"


def test_it_says_the_same_as_itself(wire: Any) -> None:
    messages = wire.messages_of(CAPTURE)
    assert list(compare(messages, messages, exact=True)) == []
