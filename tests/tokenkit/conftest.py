"""What tests of the host side share."""

from collections.abc import Callable
from typing import Any

import pytest
from fido2.ctap2 import Ctap2

from .page import Page


@pytest.fixture(scope="session")
def read_page() -> type[Page]:
    """Look at the text of an HTML page: see Page."""
    return Page


@pytest.fixture
def register() -> Callable[..., Any]:
    """Make a discoverable credential, before there is a PIN."""

    def register(
        ctap: Ctap2, user: str = "alice", rp_id: str = "example.com", blob: bool = False
    ) -> bytes:
        made = ctap.make_credential(
            bytes(32),
            {"id": rp_id, "name": rp_id},
            {"id": user.encode(), "name": user, "displayName": user.title()},
            [{"type": "public-key", "alg": -7}],
            extensions={"largeBlobKey": True} if blob else {"credProtect": 2},
            options={"rk": True},
        )
        credential = made.auth_data.credential_data
        assert credential is not None
        return credential.credential_id

    return register
