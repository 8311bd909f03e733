"""Sessions: who is in, for how long, and what a browser is told."""

from typing import Any


def test_a_password_opens_the_credentials(browser: Any) -> None:
    browser.open("")
    assert browser.page == "sign-in"
    browser.sign_in("ann")
    assert browser.page == "security-credentials"
    assert "Signed in as <b>ann</b>" in browser.answer.text
