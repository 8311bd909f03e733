"""The control API, over HTTP."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.verifier import InvalidAuthenticationCode
from tokenkit.virtual import START_S

from .conftest import Control

DAY_S = 86_400.0
YEAR_S = 365.2425 * DAY_S


def test_without_the_token_everything_is_refused(control: Control) -> None:
    url = f"{control.endpoint.url}/control"
    for token in ("", "Bearer wrong", control.endpoint.control_token):
        for path in ("/clock", "/openapi.json", "/nowhere"):
            answer = httpx.get(url + path, headers={"Authorization": token}, trust_env=False)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert "token" in answer.json()["error"]
    assert httpx.get(url + "/clock", trust_env=False).status_code == 401


def test_the_clock_is_read_and_moved_forward(control: Control) -> None:
    first = control.get("/clock")
    assert first == {"now_s": START_S, "now": "2026-01-01T00:00:15.000Z", "runs": False}
    assert control.post("/clock/advance", by=45.5)["now_s"] == START_S + 45.5
    assert control.post("/clock/advance", by="2 years")["now_s"] == START_S + 45.5 + 2 * YEAR_S
    moved = control.post("/clock/advance", by="P1DT2H")["now_s"]
    assert moved == pytest.approx(START_S + 45.5 + 2 * YEAR_S + DAY_S + 7200)
    assert control.post("/clock/set", to="2029-03-01T09:00:00+01:00")["now"].startswith(
        "2029-03-01T08:00:00"
    )
    assert control.service.clock.now() == control.get("/clock")["now_s"]


@pytest.mark.parametrize(
    ("path", "order", "message"),
    [
        ("advance", {"by": 0}, "longer than nothing"),
        ("advance", {"by": -1}, "longer than nothing"),
        ("advance", {"by": "P"}, "is no duration"),
        ("advance", {"by": "3 yeers"}, "did you mean years"),
        ("advance", {"by": "9999 years"}, "longer than 1000 years"),
        ("advance", {"by": True}, "Expected"),
        ("advance", {}, "missing required field `by`"),
        ("advance", {"by": 1, "faster": True}, "unknown field `faster`"),
        ("advance", {"bye": 5}, "; what may be said: by"),
        ("set", {"to": "2025-01-01T00:00:00Z"}, "time does not go back"),
        ("set", {"to": "2027-01-01"}, "no time zone"),
        ("set", {"to": "soon"}, "is no ISO 8601 time"),
        ("set", {"to": 1e300}, "1970 to 9998"),
    ],
)
def test_a_wrong_order_moves_nothing(
    control: Control, path: str, order: dict[str, Any], message: str
) -> None:
    assert message in control.post(f"/clock/{path}", 400, **order)["error"]
    assert control.service.clock.now() == START_S


def test_the_log_tells_of_each_move(control: Control) -> None:
    control.post("/clock/advance", by="1 h")
    control.post("/clock/set", to=START_S + 5000)
    lines = [json.loads(line) for line in control.service.verifier.export_audit()]
    moves = [(line["at_s"], line["detail"]) for line in lines if line["event"] == "clock"]
    assert moves == [
        (START_S + 3600, {"by_s": 3600.0}),
        (START_S + 5000, {"by_s": 1400.0}),
    ]


def test_time_ends(control: Control) -> None:
    control.post("/clock/set", to="9998-12-31T23:59:00Z")
    assert "year 9998" in control.post("/clock/advance", 400, by="2 min")["error"]
    control.post("/clock/advance", by="30 s")
    control.post("/tokens", 201)
    assert "year 9998" in control.post("/tokens/two-codes", 400)["error"]


def test_a_token_is_made_pressed_and_enabled(control: Control) -> None:
    [made] = control.post("/tokens", 201)
    assert made["place"] == "desk"
    shown = control.post("/tokens/press")
    assert shown["serial_number"] == made["serial_number"]
    token = control.service.tokens.find(made["serial_number"])
    assert shown["code"] == token.display().digits
    codes = control.post("/tokens/two-codes")
    verifier = control.service.verifier
    verifier.enable("root", made["serial_number"], codes["code1"], codes["code2"])
    [device] = control.get("/devices", user="root")
    assert (device["kind"], device["locked"]) == ("hardware-token", False)
    assert control.get("/devices") == [device]


def test_a_token_drifts_where_it_lies(control: Control) -> None:
    control.post("/tokens", 201, count=2)
    first, second = [each["serial_number"] for each in control.get("/tokens")]
    moved = control.post("/tokens/move", serial_number=second, place="warehouse")
    assert moved["place"] == "warehouse"
    control.post("/clock/advance", by="8 months")
    desk, warehouse = control.get("/tokens")
    assert warehouse["error_s"] < desk["error_s"] - 200, "a cold crystal is slow"
    assert (
        "did you mean warehouse"
        in (control.post("/tokens/move", 400, serial_number=first, place="warehose")["error"])
    )


def test_a_battery_is_changed(control: Control) -> None:
    control.post("/tokens", 201)
    control.post("/tokens/battery", outage="1 h")
    assert control.post("/tokens/press")["code"] is None
    [token] = control.get("/tokens")
    assert token["dark_until"] == "2026-01-01T01:00:15.000Z"
    assert not token["battery_empty"]
    why = "it has no power until 2026-01-01T01:00:15Z, when a new battery is in"
    assert control.post("/tokens/press")["why_dark"] == why
    assert why in control.post("/tokens/two-codes", 409)["error"]
    assert "without a battery already" in control.post("/tokens/battery", 409)["error"]
    control.post("/clock/advance", by="61 min")
    assert control.post("/tokens/press")["code"] is not None
    [token] = control.get("/tokens")
    assert token["error_s"] == pytest.approx(-3600, abs=10)
    assert token["dark_until"] is None


def test_an_empty_battery_is_changed_however_late(control: Control) -> None:
    control.post("/tokens", 201)
    control.post("/clock/advance", by="20 years")
    assert "battery is empty" in control.post("/tokens/press")["why_dark"]
    control.post("/tokens/battery", outage="60 s")
    control.post("/clock/advance", by="60 s")
    assert control.post("/tokens/press")["code"] is not None


def test_the_only_token_needs_no_name(control: Control) -> None:
    assert "make-tokens makes some" in control.post("/tokens/press", 404)["error"]
    control.post("/tokens", 201, count=2)
    assert "--serial): there are 2" in control.post("/tokens/press", 404)["error"]
    assert "no virtual token X" in control.post("/tokens/press", 404, serial_number="X")["error"]


def test_a_locked_device_is_unlocked(control: Control) -> None:
    app = control.service.verifier.create_authenticator_app("phone")
    verifier = control.service.verifier
    unlock = {"serial_number": app.serial_number}
    untouched = {**unlock, "failures": 0, "was_locked": False}
    assert control.post("/devices/unlock", **unlock) == untouched
    for _ in range(verifier.totp.lock_after):
        with pytest.raises(InvalidAuthenticationCode):
            verifier.enable("root", app.serial_number, "000000", "000000")
        control.post("/clock/advance", by="1 day")
    locked = {**unlock, "failures": verifier.totp.lock_after, "was_locked": True}
    assert control.post("/devices/unlock", **unlock) == locked
    assert control.post("/devices/unlock", **unlock) == untouched
    assert "does not exist" in control.post("/devices/unlock", 404, serial_number="NOPE")["error"]
    assert "does not exist" in control.post("/devices/unlock", 404, serial_number="A" * 9)["error"]


def test_users_are_made_whole_or_not_at_all(control: Control) -> None:
    made = control.post("/users", 201, name="ann", password="long enough", path="/dev/")
    assert made["arn"] == "arn:aws:iam::123456789012:user/dev/ann"
    assert made["has_password"]
    control.service.verifier.check_password("ann", "long enough")
    control.post("/users", 400, name="bob", password="short")
    control.post("/users", 400, name="b b")
    assert "already exists" in control.post("/users", 409, name="ANN")["error"]
    assert [each["name"] for each in control.get("/users")] == ["ann", "root"]


def test_findings_and_the_log(control: Control) -> None:
    assert [each["kind"] for each in control.get("/findings")] == ["no-mfa"]
    control.post("/users", 201, name="ann")
    with control.http.stream("GET", "/audit") as answer:
        assert answer.headers["content-type"].startswith("application/jsonl")
        lines = [json.loads(each) for each in answer.iter_lines()]
    assert lines[-1]["event"] == "create-user"
    assert [line["line"] for line in lines] == list(range(1, len(lines) + 1))


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/nowhere", 404, "there is no GET"),
        ("DELETE", "/tokens", 405, "there is no DELETE"),
        ("GET", "/clock?x=1", 400, "no parameter 'x'"),
        ("POST", "/tokens?count=2", 400, "no parameter 'count'"),
        ("GET", "/devices?who=ann", 400, "unknown field `who`"),
        ("GET", "/devices?user=ann&user=bob", 400, "there twice"),
        ("GET", "/devices?user=ann", 404, "cannot be found"),
        ("GET", "/devices?user=a%20b", 400, "user name"),
        ("POST", "/users", 400, "truncated"),
    ],
)
def test_what_is_not_known_is_said(
    control: Control, method: str, path: str, status: int, message: str
) -> None:
    answer = control.http.request(method, path, content=b"{" if method == "POST" else b"")
    assert answer.status_code == status
    assert message in answer.json()["error"]


def test_the_allowed_methods_of_a_path_are_told(control: Control) -> None:
    answer = control.http.put("/tokens")
    assert {*answer.headers["Allow"].split(", ")} == {"GET", "HEAD", "POST"}


def test_a_large_order_is_refused(control: Control) -> None:
    answer = control.http.post("/users", content=b" " * ((1 << 20) + 1))
    assert answer.status_code == 413
    assert "1048576 bytes" in answer.json()["error"]


def test_any_order_is_answered_with_a_message(control: Control) -> None:
    json_values = st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
        lambda each: st.lists(each) | st.dictionaries(st.text(), each),
        max_leaves=6,
    )
    members = st.sampled_from(["by", "to", "serial_number", "place", "outage", "name", "count"])
    paths = st.sampled_from(
        ["/clock/advance", "/clock/set", "/tokens/press", "/tokens/move", "/devices/unlock"]
    )

    @given(paths, st.dictionaries(members, json_values) | json_values)
    def check(path: str, order: Any) -> None:
        answer = control.http.post(path, content=json.dumps(order))
        assert answer.status_code in (200, 400, 404, 409)
        assert (answer.status_code == 200) != ("error" in answer.json())

    check()


def test_a_database_that_fails_is_not_described(
    control: Control, caplog: pytest.LogCaptureFixture
) -> None:
    with control.service.verifier._store.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE mfa_user RENAME TO mfa_gone")
    answer = control.http.get("/users")
    assert (answer.status_code, answer.json()) == (503, {"error": "The database failed."})
    assert "no such table: mfa_user" in caplog.text
