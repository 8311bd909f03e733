"""credProtect: what a request without user verification gets to see."""

import pytest

PIN = "271828"


@pytest.fixture
def locked(bench):
    """A key with a PIN, and a function that makes a credential with a level of protection."""
    client = bench.pin()
    client.set_pin(PIN)

    def make(level, user=b"user", rk=True):
        permission = client.PERMISSION.MAKE_CREDENTIAL
        token = client.get_pin_token(PIN, permission, bench.rp_id)
        return bench.make(
            user,
            options={"rk": rk},
            extensions=None if level is None else {"credProtect": level},
            pin_uv_param=client.protocol.authenticate(token, bench.client_data_hash),
            pin_uv_protocol=client.protocol.VERSION,
        )

    bench.locked = make
    bench.client = client
    return bench


def verified(bench):
    """What makes a getAssertion one of a verified user."""
    client = bench.client
    token = client.get_pin_token(PIN, client.PERMISSION.GET_ASSERTION, bench.rp_id)
    return {
        "pin_uv_param": client.protocol.authenticate(token, bench.client_data_hash),
        "pin_uv_protocol": client.protocol.VERSION,
    }


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_level_is_confirmed(locked, level):
    assert locked.locked(level).auth_data.extensions == {"credProtect": level}


def test_without_the_input_there_is_no_output(locked):
    assert locked.locked(None).auth_data.extensions is None


@pytest.mark.parametrize("rk", [True, False])
@pytest.mark.parametrize(
    ("level", "listed", "found"),
    [
        (None, True, True),
        (1, True, True),
        (2, True, True),
        (3, True, False),
        (None, False, True),
        (1, False, True),
        (2, False, False),
        (3, False, False),
    ],
)
@pytest.mark.parametrize("up", [True, False])
def test_who_may_see_it(locked, rk, level, listed, found, up):
    """Silently (up = false) no more than with a touch; a verified user sees all."""
    made = locked.locked(level, rk=rk)
    chosen = [made] if listed else []
    options = {"options": {"up": up}}
    if not listed and not rk:
        found = False
    if found:
        assert locked.get(*chosen, **options).credential["id"]
    else:
        assert locked.fails(locked.get, *chosen, **options) == "NO_CREDENTIALS"
    if listed or rk:
        assert locked.get(*chosen, **options, **verified(locked)).credential["id"]


def test_hidden_ones_are_not_counted(locked):
    for user, level in ((b"one", 1), (b"two", 2), (b"three", 3)):
        locked.locked(level, user)
    assert locked.get().number_of_credentials is None
    answer = locked.get(**verified(locked))
    assert answer.number_of_credentials == 3
    users = {answer.user["id"], *(locked.ctap.get_next_assertion().user["id"] for _ in "23")}
    assert users == {b"one", b"two", b"three"}
    assert locked.fails(locked.ctap.get_next_assertion) == "NOT_ALLOWED"


@pytest.mark.parametrize(("level", "excluded"), [(1, True), (2, True), (3, False)])
def test_an_exclude_list_tells_nobody_of_level_3(locked, level, excluded):
    made = locked.locked(level, rk=False)
    listed = [{"type": "public-key", "id": made.auth_data.credential_data.credential_id}]
    if excluded:
        assert locked.fails(locked.make, exclude_list=listed) == "CREDENTIAL_EXCLUDED"
    else:
        assert locked.make(exclude_list=listed).fmt == "packed"
    token = locked.client.get_pin_token(PIN, locked.client.PERMISSION.MAKE_CREDENTIAL, locked.rp_id)
    with_uv = {
        "exclude_list": listed,
        "pin_uv_param": locked.client.protocol.authenticate(token, locked.client_data_hash),
        "pin_uv_protocol": locked.client.protocol.VERSION,
    }
    assert locked.fails(locked.make, **with_uv) == "CREDENTIAL_EXCLUDED"


@pytest.mark.parametrize("level", [0, 4, -1, 2**40])
def test_other_levels_are_refused(bench, level):
    assert bench.fails(bench.make, extensions={"credProtect": level}) == "INVALID_OPTION"


@pytest.mark.parametrize("level", [True, "2", b"\x02", [2]])
def test_other_types_are_refused(bench, level):
    assert bench.fails(bench.make, extensions={"credProtect": level}) == "CBOR_UNEXPECTED_TYPE"


def test_the_level_survives_the_power(locked):
    made = [locked.locked(3, rk=rk) for rk in (True, False)]
    locked.power_cycle()
    for each in made:
        assert locked.fails(locked.get, each) == "NO_CREDENTIALS"
