"""Large blobs: whose they are, read, written and erased."""

from collections.abc import Callable
from typing import Any

import pytest
from fido2 import cbor
from fido2.utils import sha256
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.keys import DeniedError, OpenKey, UnsupportedError, WrongPinError, open_key
from tokenkit.keys.blobs import BlobWriter, capacity, read_blob, read_entries
from tokenkit.keys.credentials import Credentials, find_credential
from tokenkit.keys.pin import set_pin
from tokenkit.virtual import World

PIN = "1234"
MakeKey = Callable[..., OpenKey]


@pytest.fixture
def key(make_key: MakeKey, register: Any) -> OpenKey:
    """Alice and Bob may have a blob, Carol not."""
    key = make_key()
    for user in ("alice", "bob", "carol"):
        register(key.ctap2(), user, blob=user != "carol")
    set_pin(key, PIN)
    return key


@pytest.fixture
def writer(key: OpenKey) -> BlobWriter:
    return BlobWriter(key, PIN)


def test_put_get_list_and_delete(key: OpenKey, writer: BlobWriter) -> None:
    credentials = writer.credentials.all()
    alice, bob = (find_credential(credentials, user=name) for name in ("alice", "bob"))
    assert read_entries(key, credentials) == []
    assert read_blob(key, alice) is None
    writer.put(alice, b"hers" * 100)
    writer.put(bob, b"his")
    writer.put(alice, b"hers now" * 100)
    assert read_blob(key, alice) == b"hers now" * 100
    assert read_blob(key, bob) == b"his"
    entries = {
        entry.owner.user_name: entry for entry in read_entries(key, credentials) if entry.owner
    }
    assert entries["alice"].size == 800
    assert 16 < entries["alice"].stored_size < 800
    assert entries["bob"].size == 3
    assert [each.owner for each in read_entries(key)] == [None, None]
    assert writer.delete(alice)
    assert not writer.delete(alice)
    assert [each.owner for each in read_entries(key, credentials)] == [bob]
    assert capacity(key) == 4096


def test_a_credential_without_largeblobkey(key: OpenKey, writer: BlobWriter) -> None:
    carol = find_credential(writer.credentials.all(), user="carol")
    for act in (
        lambda: read_blob(key, carol),
        lambda: writer.put(carol, b""),
        lambda: writer.delete(carol),
    ):
        with pytest.raises(UnsupportedError, match=r"carol .* made without largeBlobKey"):
            act()


def test_too_much_changes_nothing(key: OpenKey, writer: BlobWriter) -> None:
    alice = find_credential(writer.credentials.all(), user="alice")
    writer.put(alice, b"kept")
    with pytest.raises(DeniedError, match="has no room for that") as caught:
        writer.put(alice, World(seed=1).entropy.bytes(5000))
    assert "tokenkit keys blobs list hid:/dev/hidraw3" in str(caught.value)
    assert read_blob(key, alice) == b"kept"


def test_a_key_without_large_blobs(make_key: MakeKey) -> None:
    key = make_key('versions = ["FIDO_2_0"]', base=None)
    for act in (lambda: read_entries(key), lambda: BlobWriter(key, PIN)):
        with pytest.raises(UnsupportedError, match="stores no large blobs"):
            act()


def test_writing_takes_the_pin(key: OpenKey) -> None:
    with pytest.raises(WrongPinError):
        BlobWriter(key, "0000")


def test_anything_in_the_array_is_listed(make_key: MakeKey, register: Any) -> None:
    key = make_key()
    register(key.ctap2(), blob=True)
    rubbish = [0, "text", [1, 2, 3], {}, {1: b"x", 2: b"y", 3: -1}, {1: b"xyz", 2: bytes(12), 3: 7}]
    data = cbor.encode(rubbish)
    whole = data + sha256(data)[:16]
    key.ctap2().large_blobs(0, set=whole, length=len(whole))
    set_pin(key, PIN)
    entries = read_entries(key, Credentials(key, PIN).all())
    assert [each.owner for each in entries] == [None] * 6
    assert [each.stored_size for each in entries] == [0, 0, 0, 0, 1, 3]


@given(st.lists(st.tuples(st.sampled_from(["alice", "bob"]), st.binary(max_size=500)), max_size=4))
def test_the_last_blob_stays(register: Any, writes: list[tuple[str, bytes]]) -> None:
    with open_key("virtual:reference", world=World(seed=1)) as key:
        for user in ("alice", "bob"):
            register(key.ctap2(), user, blob=True)
        set_pin(key, PIN)
        writer = BlobWriter(key, PIN)
        credentials = writer.credentials.all()
        for user, data in writes:
            writer.put(find_credential(credentials, user=user), data)
        for user in ("alice", "bob"):
            assert read_blob(key, find_credential(credentials, user=user)) == dict(writes).get(user)
