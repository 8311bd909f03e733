import pytest

from tokenkit.scenario import RunRecord, parse, run

SCENARIO = """
title = "<b>Ünusual</b> & odd"
summary = "One step fails, one is skipped."

[[step]]
do = "make-batch"
prefix = "GAHT"
tokens = ["<script>alert(1)</script>"]

[[step]]
do = "ship-seeds"
prefix = "GAHT"

[[step]]
do = "enrol"
device = "<script>alert(1)</script>"

[[step]]
do = "wait"
for = "1 min"

[[step]]
do = "sign-in"
device = "<script>alert(1)</script>"
expect = "out-of-window"

[[step]]
do = "replay"
device = "<script>alert(1)</script>"

[[step]]
do = "move"
device = "<script>alert(1)</script>"
to = "-10 °C"

[[step]]
do = "wait"
for = "1 year"

[[step]]
do = "sign-in"
device = "<script>alert(1)</script>"
expect = "rejected"

[[step]]
do = "resync"
device = "<script>alert(1)</script>"

[[step]]
do = "make-key"
device = "key"

[[step]]
do = "register"
device = "key"
"""
TOKEN = "<script>alert(1)</script>"


@pytest.fixture
def record() -> RunRecord:
    """A run in which one expectation fails and one step is skipped."""
    made = run(parse(SCENARIO, "odd.toml"), 3)
    made.steps[-1].skipped = "no \x1b key & no <finger>"
    return RunRecord(3, [made, run(parse(SCENARIO, "again.toml"), 3)])
