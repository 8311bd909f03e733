"""Access keys: made, listed, switched off, deleted; whose they are; how secrets are kept."""

import base64
import re
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tokenkit.verifier import (
    EntityAlreadyExists,
    LimitExceeded,
    NoSuchEntity,
    ValidationError,
    VerifierError,
)


@pytest.fixture
def verifier(bench: Any) -> Any:
    bench.verifier.create_user("ann")
    return bench.verifier


class TestMade:
    def test_in_iams_form(self, verifier: Any) -> None:
        key = verifier.create_access_key("ann")
        assert re.fullmatch("AKIA[A-Z2-7]{16}", key.id)
        assert len(key.secret) == 40
        assert len(base64.b64decode(key.secret)) == 30
        assert (key.user, key.active, key.used_s) == ("ann", True, None)
        assert key.secret not in repr(key)

    def test_the_secret_is_told_once(self, verifier: Any) -> None:
        key = verifier.create_access_key("ann")
        [listed] = verifier.access_keys("ann")
        assert (listed.id, listed.secret) == (key.id, "")
        assert verifier.find_access_key(key.id) == listed
        assert verifier.find_signer(key.id)[0].secret == key.secret

    def test_two_at_most(self, verifier: Any, bench: Any) -> None:
        made = []
        for _ in range(2):
            made.append(verifier.create_access_key("ann").id)
            bench.wait(1)
        with pytest.raises(LimitExceeded, match="Cannot exceed quota for AccessKeysPerUser: 2"):
            verifier.create_access_key("ann")
        assert [key.id for key in verifier.access_keys("ann")] == made
        verifier.create_access_key("root")
        verifier.delete_access_key("ann", made[0])
        verifier.create_access_key("ann")

    def test_of_nobody(self, verifier: Any) -> None:
        for request in (verifier.create_access_key, verifier.access_keys):
            with pytest.raises(NoSuchEntity, match=r"^The user with name bob cannot be found\.$"):
                request("bob")

    def test_one_that_somebody_has(self, verifier: Any) -> None:
        key = verifier.create_access_key("ann", key_id="AKIAEXAMPLEEXAMPLE", secret="s3cret")
        assert (key.id, key.secret) == ("AKIAEXAMPLEEXAMPLE", "s3cret")
        for user in ("ann", "root"):
            with pytest.raises(EntityAlreadyExists, match="Access Key with id AKIAEXAMPLEEXAMPLE"):
                verifier.create_access_key(user, key_id="AKIAEXAMPLEEXAMPLE", secret="other")
        assert verifier.find_signer(key.id)[0].secret == "s3cret"
        assert verifier.access_keys("root") == []

    @pytest.mark.parametrize("key_id", ["", "A" * 15, "A" * 129, "A" * 15 + "-", "Ä" * 16, 5])
    def test_ids_that_iam_would_not_take(self, verifier: Any, key_id: Any) -> None:
        with pytest.raises(ValidationError, match="16 to 128 of"):
            verifier.create_access_key("ann", key_id=key_id)


class TestUsed:
    def test_it_is_noted(self, verifier: Any, bench: Any) -> None:
        key = verifier.create_access_key("ann")
        bench.wait(60)
        lines = len(verifier.audit())
        verifier.note_access_key_used(key.id, "iam", "us-east-1")
        [listed] = verifier.access_keys("ann")
        assert (listed.used_s, listed.used_service, listed.used_region) == (
            bench.now_s,
            "iam",
            "us-east-1",
        )
        assert len(verifier.audit()) == lines

    def test_switched_off_and_on(self, verifier: Any) -> None:
        key = verifier.create_access_key("ann")
        for active in (False, True):
            verifier.set_access_key_active("ann", key.id, active)
            assert verifier.find_access_key(key.id).active is active

    def test_whoever_signs(self, verifier: Any) -> None:
        key = verifier.create_access_key("ann")
        verifier.put_user_policy("ann", "p", "{}")
        found, user, policies = verifier.find_signer(key.id)
        assert (found.id, found.secret, found.active) == (key.id, key.secret, True)
        assert (user, policies) == (verifier.user("ann"), {"p": "{}"})
        assert verifier.find_signer("AKIANOBODYNOBODY") is None

    @pytest.mark.parametrize("whose", ["root", "bob"])
    def test_anothers(self, verifier: Any, whose: str) -> None:
        """To others a key does not exist."""
        verifier.create_user("bob")
        key = verifier.create_access_key("ann")
        for request in (
            lambda: verifier.delete_access_key(whose, key.id),
            lambda: verifier.set_access_key_active(whose, key.id, False),
        ):
            with pytest.raises(NoSuchEntity, match=f"The Access Key with id {key.id} cannot be"):
                request()
        assert verifier.find_access_key(key.id).active

    def test_deleted(self, verifier: Any) -> None:
        key = verifier.create_access_key("ann")
        verifier.delete_access_key("ann", key.id)
        assert verifier.access_keys("ann") == []
        assert verifier.find_access_key(key.id) is None
        with pytest.raises(NoSuchEntity):
            verifier.delete_access_key("ann", key.id)


class TestSecrets:
    def test_the_log_has_none(self, verifier: Any) -> None:
        key = verifier.create_access_key("ann")
        verifier.delete_access_key("ann", key.id)
        events = [event for event in verifier.audit("ann") if "access-key" in event.event]
        assert [event.detail["access_key"] for event in events] == [key.id, key.id]
        assert key.secret not in repr(verifier.audit())

    def test_the_database_has_none(self, make_bench: Any, tmp_path: Any) -> None:
        url = f"sqlite:///{tmp_path}/mfa.db"
        bench = make_bench(url=url, sealing_key=bytes(32))
        key = bench.verifier.create_access_key("root")
        bench.verifier.close()
        engine = create_engine(url)
        with engine.begin() as connection:
            rows = connection.execute(text("SELECT * FROM mfa_access_key")).all()
            assert key.secret.encode() not in repr(rows).encode()
            # sealed for its id: it is no use under another
            connection.execute(text("UPDATE mfa_access_key SET id = 'AKIAOTHEROTHEROTHER'"))
        engine.dispose()
        bench = make_bench(url=url, sealing_key=bytes(32))
        with pytest.raises(VerifierError, match="sealing"):
            bench.verifier.find_signer("AKIAOTHEROTHEROTHER")
        assert bench.verifier.find_access_key("AKIAOTHEROTHEROTHER").secret == ""  # not opened
        bench.verifier.close()
