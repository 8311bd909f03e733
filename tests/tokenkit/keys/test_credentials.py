"""Discoverable credentials: listed, found, renamed and deleted."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.keys import (
    DeniedError,
    NoSuchItemError,
    OpenKey,
    UnsupportedError,
    WrongPinError,
)
from tokenkit.keys.credentials import Credentials, StoredCredential, find_credential
from tokenkit.keys.pin import set_pin

PIN = "1234"
PREVIEW = """
versions = ["FIDO_2_0", "FIDO_2_1_PRE"]
options = ["rk", "clientPin", "credentialMgmtPreview"]
pin_uv_protocols = [1]
credential_capacity = 5
extensions = ["credProtect"]
"""
MakeKey = Callable[..., OpenKey]


@pytest.fixture(params=["reference", None], ids=["CTAP 2.1", "preview"])
def key(request: pytest.FixtureRequest, make_key: MakeKey, register: Any) -> OpenKey:
    """With two credentials at one RP and one at another."""
    key = make_key("" if request.param else PREVIEW, base=request.param)
    for user, rp_id in (("alice", "a.example"), ("bob", "a.example"), ("alice", "b.example")):
        register(key.ctap2(), user, rp_id)
    set_pin(key, PIN)
    return key


def test_all_credentials_are_listed(key: OpenKey) -> None:
    store = Credentials(key, PIN)
    found = store.all()
    assert sorted(map(str, found)) == [
        "alice at a.example",
        "alice at b.example",
        "bob at a.example",
    ]
    assert store.counts()[0] == 3
    first = find_credential(found, rp_id="a.example", user="alice")
    assert first.user_id == b"alice"
    assert first.display_name == "Alice"
    assert first.algorithm == -7
    assert first.protection == 2
    assert first.large_blob_key is None


def test_a_deleted_one_is_gone(key: OpenKey) -> None:
    store = Credentials(key, PIN)
    existing, remaining = store.counts()
    gone = find_credential(store.all(), user="bob")
    store.delete(gone)
    assert store.counts() == (existing - 1, remaining + 1)
    assert gone not in store.all()
    with pytest.raises(DeniedError, match="no such credential any more"):
        store.delete(gone)


def test_renaming(make_key: MakeKey, register: Any) -> None:
    key = make_key()
    register(key.ctap2())
    set_pin(key, PIN)
    store = Credentials(key, PIN)
    [old] = store.all()
    renamed = store.rename(old, "alice@new.example", None)
    assert store.all() == [renamed]
    assert (renamed.user_name, renamed.display_name) == ("alice@new.example", "Alice")
    assert (renamed.user_id, renamed.credential_id) == (old.user_id, old.credential_id)
    renamed = store.rename(renamed, None, "Al")
    assert (renamed.user_name, renamed.display_name) == ("alice@new.example", "Al")
    assert store.all() == [renamed]


def test_the_preview_cannot_rename(make_key: MakeKey, register: Any) -> None:
    key = make_key(PREVIEW, base=None)
    register(key.ctap2())
    set_pin(key, PIN)
    store = Credentials(key, PIN)
    with pytest.raises(UnsupportedError, match="cannot rename"):
        store.rename(store.all()[0], "new", None)


def test_an_empty_key(make_key: MakeKey) -> None:
    store = Credentials(make_key(pin=PIN), PIN)
    assert store.all() == []
    assert store.counts() == (0, 100)


def test_what_it_takes(make_key: MakeKey) -> None:
    with pytest.raises(DeniedError, match="has no PIN"):
        Credentials(make_key(), PIN)
    with pytest.raises(WrongPinError):
        Credentials(make_key(pin=PIN), "0000")
    with pytest.raises(UnsupportedError, match="no credential management"):
        Credentials(make_key('versions = ["FIDO_2_0"]', base=None), PIN)


def test_the_large_blob_key_is_no_text(make_key: MakeKey, register: Any) -> None:
    key = make_key()
    register(key.ctap2(), blob=True)
    set_pin(key, PIN)
    [credential] = Credentials(key, PIN).all()
    assert credential.large_blob_key is not None
    assert len(credential.large_blob_key) == 32
    assert "large_blob_key" not in repr(credential)


def credential(number: int, rp_id: str = "a.example", user: str = "alice") -> StoredCredential:
    return StoredCredential(
        rp_id, number.to_bytes(4, "big"), user.encode(), user, None, -7, 1, None
    )


ALICE, BOB, OTHER = (
    credential(0xABCD0001),
    credential(0xABCD0002, user="bob"),
    credential(0x12340000, "b.example"),
)


def test_finding() -> None:
    every = [ALICE, BOB, OTHER]
    assert find_credential(every, "abcd0001") is ALICE
    assert find_credential(every, "1234") is OTHER
    assert find_credential(every, "ABCD", user="bob") is BOB
    assert find_credential(every, rp_id="b.example") is OTHER
    assert find_credential(every, rp_id="a.example", user="alice") is ALICE
    assert find_credential(every, user=b"bob".hex()) is BOB
    with pytest.raises(NoSuchItemError, match="choose by id") as caught:
        find_credential(every, "abcd")
    assert "abcd0001 (alice at a.example)" in str(caught.value)
    assert "abcd0002 (bob at a.example)" in str(caught.value)
    for missing in ({"prefix": "ffff"}, {"user": "carol"}, {"rp_id": "a.example.com"}):
        with pytest.raises(NoSuchItemError, match="no credential on the key fits"):
            find_credential(every, **missing)
    with pytest.raises(NoSuchItemError, match="give 4 digits or more"):
        find_credential(every, "123")


@given(
    st.lists(st.integers(0, 0xFFFFFFFF), unique=True, max_size=5),
    st.text("0123456789abcdefgh", min_size=4, max_size=8),
)
def test_a_prefix_finds_what_it_alone_begins(numbers: list[int], prefix: str) -> None:
    every = [credential(number) for number in numbers]
    fitting = [each for each in every if each.credential_id.hex().startswith(prefix)]
    found = None
    try:
        found = find_credential(every, prefix)
    except NoSuchItemError:
        assert len(fitting) != 1
    assert found == (fitting[0] if len(fitting) == 1 else None)
