"""authenticatorGetInfo: every member, and that each is true."""

from fido2 import cbor
from fido2.ctap2 import ClientPin, CredentialManagement

from firmware_sim.profiles import load_profile, parse_profile

PERSISTENT = ClientPin.PERMISSION(0x40)


def test_what_is_there(bench):
    info = bench.ctap.get_info()
    assert info.versions == ["U2F_V2", "FIDO_2_0", "FIDO_2_1", "FIDO_2_3"]
    assert info.extensions == [
        "credBlob",
        "credProtect",
        "hmac-secret",
        "hmac-secret-mc",
        "largeBlobKey",
        "minPinLength",
        "pinComplexityPolicy",
        "previewSign",
        "thirdPartyPayment",
    ]
    assert info.options == {
        "rk": True,
        "up": True,
        "uv": False,
        "plat": False,
        "alwaysUv": False,
        "authnrCfg": True,
        "bioEnroll": False,
        "clientPin": False,
        "credMgmt": True,
        "ep": False,
        "largeBlobs": True,
        "makeCredUvNotRqd": True,
        "perCredMgmtRO": True,
        "pinUvAuthToken": True,
        "setMinPINLength": True,
        "uvAcfg": True,
        "uvBioEnroll": True,
    }
    assert info.aaguid == load_profile("reference").aaguid
    assert (info.max_msg_size, info.max_creds_in_list, info.max_cred_id_length) == (7609, 32, 352)
    assert info.pin_uv_protocols == [2, 1]
    assert (info.transports, info.transports_for_reset) == (["nfc", "usb"], ["usb"])
    numbers = [entry["alg"] for entry in info.algorithms]
    assert numbers[:7] == [-7, -8, -35, -36, -47, -257, -37]
    assert numbers[7:] in ([-48, -49, -50], [])  # ML-DSA is not in every OpenSSL
    assert (info.max_large_blob, info.max_cred_blob_length) == (4096, 32)
    assert (info.force_pin_change, info.min_pin_length, info.max_pin_length) == (False, 4, 63)
    assert (info.firmware_version, info.certifications) == (1, {})
    assert info.max_rpids_for_min_pin == 8
    assert (info.preferred_platform_uv_attempts, info.uv_modality, info.uv_count_since_pin) == (
        (3, 2, 0)
    )
    assert info.remaining_disc_creds == 100
    assert info.attestation_formats == ["packed", "fido-u2f"]
    assert info.long_touch_for_reset is False
    assert info.pin_complexity_policy is False
    assert info.authenticator_config_commands == [1, 2, 3, 4, 0xFF]


def test_a_credential_takes_a_place(bench):
    longest = max(
        len(bench.make(options={"rk": rk}).auth_data.credential_data.credential_id)
        for rk in (False, True)
    )
    assert longest <= bench.ctap.get_info().max_cred_id_length
    assert bench.ctap.get_info().remaining_disc_creds == 99


def persistent_token(bench, pin="1234"):
    return bench.pin().get_pin_token(pin, PERSISTENT)


def test_the_identifier_is_for_holders_of_the_persistent_token(bench):
    """Another ciphertext each time, the same plaintext until a reset (CTAP 2.3 §6.4)."""
    bench.pin().set_pin("1234")
    token = persistent_token(bench)
    first, second = bench.ctap.get_info(), bench.ctap.get_info()
    assert first.enc_identifier != second.enc_identifier
    assert len(first.enc_identifier) == 32
    identifier = first.get_identifier(token)
    assert len(identifier) == 16
    assert second.get_identifier(token) == identifier
    bench.power_cycle()
    assert bench.ctap.get_info().get_identifier(token) == identifier
    assert bench.ctap.get_info().get_identifier(bytes(32)) != identifier
    bench.ctap.reset()
    bench.pin().set_pin("1234")
    assert persistent_token(bench) != token
    assert bench.ctap.get_info().get_identifier(persistent_token(bench)) != identifier


def test_the_credential_store_state_changes_with_the_store(bench):
    bench.pin().set_pin("1234")
    token = persistent_token(bench)
    seen = set()

    def state():
        found = bench.ctap.get_info().get_cred_store_state(token)
        assert bench.ctap.get_info().get_cred_store_state(token) == found
        return found

    def has_changed():
        changed = state() not in seen
        seen.add(state())
        return changed

    def verified():
        client = bench.pin()
        tag = client.get_pin_token("1234", ClientPin.PERMISSION.MAKE_CREDENTIAL, bench.rp_id)
        proof = client.protocol.authenticate(tag, bench.client_data_hash)
        return {"pin_uv_param": proof, "pin_uv_protocol": client.protocol.VERSION}

    def manage():
        client = bench.pin()
        cm = client.get_pin_token("1234", ClientPin.PERMISSION.CREDENTIAL_MGMT)
        return CredentialManagement(bench.ctap, client.protocol, cm)

    assert has_changed()
    made = bench.make(options={"rk": True}, **verified())
    credential = {"type": "public-key", "id": made.auth_data.credential_data.credential_id}
    assert has_changed()
    bench.get()
    bench.make()  # a server-side one
    assert not has_changed()
    manage().update_user_info(credential, {"id": b"user", "name": "renamed"})
    assert has_changed()
    bench.make(options={"rk": True}, **verified())  # replaces the same user's
    assert has_changed()
    bench.make(b"other", options={"rk": True}, **verified())
    assert has_changed()
    [other] = [
        each[7]
        for each in manage().enumerate_creds(bench.ctap.get_info() and hash_of(bench.rp_id))
        if each[6]["id"] == b"other"
    ]
    manage().delete_cred(other)
    assert has_changed()
    bench.power_cycle()
    assert not has_changed()


def hash_of(rp_id):
    import hashlib

    return hashlib.sha256(rp_id.encode()).digest()


def test_a_profile_says_which_members_are_sent(make_bench):
    old = parse_profile(
        "old",
        """
        base = "self-attested"
        info_members = ["versions", "extensions", "options", "maxMsgSize", "pinUvAuthProtocols"]
        """,
    )
    answer = cbor.decode(make_bench(old).raw(b"\x04")[1:])
    assert list(answer) == [1, 2, 3, 4, 5, 6]


def test_a_key_that_is_certified(make_bench):
    text = 'base = "reference"\ncertifications = { FIDO = 1, "FIPS-CMVP-3" = 2 }\n'
    bench = make_bench(parse_profile("certified", text))
    assert bench.ctap.get_info().certifications == {"FIDO": 1, "FIPS-CMVP-3": 2}
