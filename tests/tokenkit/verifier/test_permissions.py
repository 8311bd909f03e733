"""Policies and roles: documents are kept as they came, up to IAM's quotas."""

from typing import Any

import pytest

from tokenkit.verifier import (
    DeleteConflict,
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    NoSuchEntity,
    Role,
    ValidationError,
)

BAD_NAMES: list[Any] = ["", "a b", "a/b", "ä", "a\n", None, 5]


@pytest.fixture
def verifier(bench: Any) -> Any:
    bench.verifier.create_user("ann")
    bench.verifier.create_role("admin", "{}")
    return bench.verifier


class Owner:
    """A user or a role, whose policies are handled alike."""

    def __init__(self, verifier: Any, kind: str) -> None:
        self.kind, self.name = kind, {"user": "ann", "role": "admin"}[kind]
        self.most = {"user": 2048, "role": 10_240}[kind]
        self._put = getattr(verifier, f"put_{kind}_policy")
        self._delete = getattr(verifier, f"delete_{kind}_policy")
        self._all = getattr(verifier, f"{kind}_policies")

    def put(self, name: Any, document: str = "{}", owner: str | None = None) -> None:
        self._put(owner or self.name, name, document)

    def delete(self, name: str) -> None:
        self._delete(self.name, name)

    @property
    def policies(self) -> dict[str, str]:
        found: dict[str, str] = self._all(self.name)
        return found


@pytest.fixture(params=["user", "role"])
def owner(verifier: Any, request: pytest.FixtureRequest) -> Owner:
    return Owner(verifier, request.param)


class TestPolicies:
    def test_kept_as_they_came(self, owner: Owner) -> None:
        documents = {"b": ' {"Statement":\n[] } ', "a": "{}", "c" * 128: "ä"}
        for name, document in documents.items():
            owner.put(name, document)
        assert owner.policies == documents
        assert list(owner.policies) == sorted(documents)

    def test_replaced(self, owner: Owner) -> None:
        owner.put("p", "{}")
        owner.put("p", "[]")
        assert owner.policies == {"p": "[]"}

    def test_deleted(self, owner: Owner) -> None:
        owner.put("p")
        owner.delete("p")
        assert owner.policies == {}
        with pytest.raises(
            NoSuchEntity, match=rf"^The {owner.kind} policy with name p cannot be found\.$"
        ):
            owner.delete("p")

    def test_the_quota_is_of_all_together(self, owner: Owner) -> None:
        half = owner.most // 2
        owner.put("a", "x" * half)
        owner.put("b", "x" * half + " \n\t" * 1000)
        message = f"Maximum policy size of {owner.most} bytes exceeded for {owner.kind}"
        with pytest.raises(LimitExceeded, match=message):
            owner.put("c", "x")
        with pytest.raises(LimitExceeded, match=message):
            owner.put("a", "x" * (half + 1))
        assert list(owner.policies) == ["a", "b"]
        owner.put("a", "y" * half)

    @pytest.mark.parametrize("name", [*BAD_NAMES, "x" * 129])
    def test_names_that_iam_would_not_take(self, owner: Owner, name: Any) -> None:
        with pytest.raises(ValidationError, match="1 to 128 of"):
            owner.put(name)
        assert owner.policies == {}

    def test_of_nobody(self, owner: Owner) -> None:
        with pytest.raises(NoSuchEntity, match=f"The {owner.kind} with name nobody cannot be"):
            owner.put("p", owner="nobody")

    def test_the_log_names_them(self, owner: Owner, verifier: Any) -> None:
        owner.put("p", "a secret matter")
        last = verifier.audit()[-1]
        assert (last.event, last.detail["policy"]) == (f"put-{owner.kind}-policy", "p")
        assert "secret" not in repr(last)


class TestRoles:
    def test_made_and_told(self, verifier: Any, bench: Any) -> None:
        made = verifier.create_role(
            "ops", "[]", path="/a/", description="d", max_session_s=7200, tags={"k": "v"}
        )
        assert made.id.startswith("AROA")
        assert made == Role("ops", made.id, "/a/", bench.now_s, "[]", "d", 7200)
        assert made.arn == "arn:aws:iam::123456789012:role/a/ops"
        assert verifier.role("ops") == made
        assert [role.name for role in verifier.roles()] == ["admin", "ops"]
        assert verifier.tags(made.arn) == {"k": "v"}

    def test_twice(self, verifier: Any) -> None:
        with pytest.raises(EntityAlreadyExists, match="Role with name admin already exists"):
            verifier.create_role("admin", "{}", path="/other/")

    def test_its_trust_policy(self, verifier: Any) -> None:
        verifier.set_trust_policy("admin", " [] ")
        assert verifier.role("admin").trust_policy == " [] "
        for request in (
            lambda: verifier.set_trust_policy("admin", "x" * 2049),
            lambda: verifier.create_role("other", "x" * 2049),
        ):
            with pytest.raises(LimitExceeded, match="Cannot exceed quota for ACLSizePerRole: 2048"):
                request()
        verifier.set_trust_policy("admin", "x" * 2048 + " " * 100)
        assert [role.name for role in verifier.roles()] == ["admin"]

    def test_deleted_after_its_policies(self, verifier: Any) -> None:
        made = verifier.create_role("ops", "{}", tags={"k": "v"})
        verifier.put_role_policy("ops", "p", "{}")
        with pytest.raises(
            DeleteConflict, match="Cannot delete entity, must delete policies first"
        ):
            verifier.delete_role("ops")
        verifier.delete_role_policy("ops", "p")
        verifier.delete_role("ops")
        assert verifier.tags(made.arn) == {}
        for request in (verifier.role, verifier.delete_role):
            with pytest.raises(NoSuchEntity, match="The role with name ops cannot be found"):
                request("ops")

    @pytest.mark.parametrize("name", [*BAD_NAMES, "x" * 65])
    def test_names_that_iam_would_not_take(self, verifier: Any, name: Any) -> None:
        with pytest.raises(ValidationError, match="1 to 64 of"):
            verifier.create_role(name, "{}")

    def test_tags_that_iam_would_not_take(self, verifier: Any) -> None:
        with pytest.raises(InvalidInput, match="Duplicate tag keys"):
            verifier.create_role("ops", "{}", tags={"k": "1", "K": "2"})
        assert [role.name for role in verifier.roles()] == ["admin"]
