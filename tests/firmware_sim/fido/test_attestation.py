"""Attestation formats by the platform's preference, enterprise attestation, signature counters."""

import itertools

import pytest
from cryptography import x509
from fido2 import cbor
from fido2.attestation import Attestation, FidoU2FAttestation, NoneAttestation, PackedAttestation
from fido2.ctap2 import AttestationResponse, Config
from fido2.ctap2.base import args
from fido2.webauthn import AttestationObject

from firmware_sim.fido.ca import root_certificate
from firmware_sim.profiles import parse_profile

SERIAL = x509.ObjectIdentifier("1.3.6.1.4.1.45724.1.1.2")


def make(bench, preference=None, enterprise=None, rp_id=None, alg=-7):
    """python-fido2 2.2 does not send attestationFormatsPreference."""
    rp_id = rp_id or bench.rp_id
    user = {"id": b"user", "name": "user"}
    key_parameters = [{"type": "public-key", "alg": alg}]
    request = args(
        bench.client_data_hash,
        {"id": rp_id},
        user,
        key_parameters,
        *[None] * 5,
        enterprise,
        preference,
    )
    return AttestationResponse.from_dict(bench.ctap.send_cbor(1, request))


def certificate_of(made):
    [encoded] = made.att_stmt["x5c"]
    certificate = x509.load_der_x509_certificate(encoded)
    certificate.verify_directly_issued_by(x509.load_der_x509_certificate(root_certificate()))
    return certificate


@pytest.mark.parametrize(
    ("preference", "alg", "expected"),
    [
        (None, -7, PackedAttestation),
        ([], -7, PackedAttestation),
        (["none"], -7, NoneAttestation),
        (["none", "packed"], -7, NoneAttestation),
        (["packed", "none"], -7, PackedAttestation),
        (["fido-u2f"], -7, FidoU2FAttestation),
        (["fido-u2f", "none"], -8, NoneAttestation),  # U2F knows no EdDSA
        (["fido-u2f"], -8, PackedAttestation),
        (["tpm", "fido-u2f"], -7, FidoU2FAttestation),
        (["tpm"], -7, PackedAttestation),
    ],
)
def test_the_format_that_the_platform_likes_best(bench, preference, alg, expected):
    made = make(bench, preference, alg=alg)
    assert made.fmt == expected.FORMAT
    Attestation.for_type(made.fmt)().verify(made.att_stmt, made.auth_data, bench.client_data_hash)
    assert AttestationObject.create(made.fmt, made.auth_data, made.att_stmt).fmt == made.fmt


def test_a_wrong_preference(bench):
    assert bench.fails(make, bench, [7]) == "CBOR_UNEXPECTED_TYPE"
    assert bench.fails(make, bench, "packed") == "CBOR_UNEXPECTED_TYPE"


def test_a_key_that_vouches_for_nothing(make_bench):
    text = """
    base = "self-attested"
    attestation = "none"
    """
    bench = make_bench(parse_profile("anonymous", text))
    assert 0x16 not in cbor.decode(bench.raw(b"\x04")[1:])
    assert (make(bench).fmt, make(bench).att_stmt) == ("none", {})
    assert make(bench, ["packed"]).fmt == "none"


def test_self_attestation_by_preference(make_bench):
    bench = make_bench("self-attested")
    assert make(bench, ["fido-u2f", "packed"]).att_stmt.keys() == {"alg", "sig"}
    assert make(bench, ["none"]).fmt == "none"


def test_a_model_that_tells_no_formats_knows_of_no_preference(make_bench):
    bench = make_bench("yubikey-5.7")
    assert make(bench, ["none"]).fmt == "packed"


# -- enterprise attestation ---------------------------------------------------------------------


def test_enterprise_attestation_must_be_enabled(bench):
    assert bench.fails(make, bench, enterprise=1) == "INVALID_PARAMETER"
    Config(bench.ctap).enable_enterprise_attestation()
    assert bench.ctap.get_info().options["ep"] is True
    bench.power_cycle()
    assert bench.ctap.get_info().options["ep"] is True
    assert bench.fails(make, bench, enterprise=3) == "INVALID_OPTION"
    assert bench.fails(make, bench, enterprise=0) == "INVALID_OPTION"


def test_the_vendor_lists_rps_and_the_platform_any(make_bench):
    bench = make_bench(serial_number="SN-7")
    Config(bench.ctap).enable_enterprise_attestation()
    usual = make(bench)
    for rp_id, asked, named in (
        ("enterprise.example", 1, True),
        ("enterprise.example", 2, True),
        ("example.com", 1, False),
        ("example.com", 2, True),
        ("example.com", None, False),
    ):
        made = make(bench, enterprise=asked, rp_id=rp_id)
        assert made.ep_att is (True if named else None), (rp_id, asked)
        certificate = certificate_of(made)
        found = [each.value.value for each in certificate.extensions if each.oid == SERIAL]
        assert found == ([b"\x04\x04SN-7"] if named else []), (rp_id, asked)
        assert (certificate_of(usual) == certificate) is not named
        PackedAttestation().verify(made.att_stmt, made.auth_data, bench.client_data_hash)


def test_each_key_has_an_enterprise_certificate_of_its_own(make_bench):
    certificates = set()
    for number in range(3):
        bench = make_bench(serial_number=f"SN-{number}")
        Config(bench.ctap).enable_enterprise_attestation()
        certificates.add(make(bench, ["none"], enterprise=2).att_stmt["x5c"][0])
    assert len(certificates) == 3


# -- signature counters -------------------------------------------------------------------------


def counters(bench, made, count=3):
    return [bench.get(made).auth_data.counter for _ in range(count)]


def test_one_counter_for_all(bench):
    first, second = bench.make(), bench.make(options={"rk": True})
    assert [first.auth_data.counter, second.auth_data.counter] == [1, 2]
    assert counters(bench, first) == [3, 4, 5]
    bench.power_cycle()
    assert counters(bench, second) == [6, 7, 8]


@pytest.mark.parametrize("rk", [False, True])
def test_a_counter_for_each_credential(make_bench, rk):
    profile = parse_profile("each", 'base = "reference"\nsignature_counter = "credential"\n')
    bench = make_bench(profile)
    first = bench.make(b"first", options={"rk": rk})
    second = bench.make(b"second", options={"rk": rk})
    assert [first.auth_data.counter, second.auth_data.counter] == [1, 1]
    assert counters(bench, first) == [2, 3, 4]
    bench.power_cycle()
    assert counters(bench, second, 1) == [2]
    assert counters(bench, first, 1) == [5]


def test_a_replaced_credential_takes_its_counter_along(make_bench):
    profile = parse_profile("each", 'base = "reference"\nsignature_counter = "credential"\n')
    bench = make_bench(profile)
    for _ in range(3):
        bench.make(options={"rk": True})
    assert len(list(bench.key.flash.items("signature-counter/"))) == 1


def test_no_counter(make_bench):
    profile = parse_profile("zero", 'base = "reference"\nsignature_counter = "zero"\n')
    bench = make_bench(profile)
    made = [bench.make(options={"rk": rk}) for rk in (False, True)]
    found = itertools.chain.from_iterable(counters(bench, each) for each in made)
    assert set(found) == {0}
    assert made[0].auth_data.counter == made[1].auth_data.counter == 0
