"""Many credentials on one key, and many keys in one process."""

import dataclasses
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator

from fido2 import cbor

from benchmarks.measure import Row, cost_of
from firmware_sim.fido.authenticator import Authenticator
from firmware_sim.profiles import load_profile
from firmware_sim.world.clock import SimulatedClock
from firmware_sim.world.entropy import OsEntropy
from firmware_sim.world.finger import touch_at_once
from firmware_sim.world.flash import MemoryFlash

HASH = hashlib.sha256(b"client data").digest()
FEW, COUNTS = 10, (1_000, 10_000)
KEYS = 200
_FLEET = f"""
import json, resource, time
from fido2.ctap2 import Ctap2
from tokenkit.virtual import World, connect

world = World(seed=1)
begun = time.perf_counter()
keys = [world.security_key() for _ in range({KEYS})]
made = time.perf_counter() - begun
rp, user, parameters = {{"id": "x"}}, {{"id": b"u"}}, [{{"type": "public-key", "alg": -7}}]
for key in keys:  # each in use, with a credential
    Ctap2(connect(key)).make_credential(bytes(32), rp, user, parameters, options={{"rk": True}})
used = time.perf_counter() - begun
print(json.dumps([made, used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def rows() -> Iterator[Row]:
    contenders: dict[str, Callable[[], object]] = {}
    for count in (FEW, *COUNTS):
        listed, unlisted = _filled(count)
        contenders[f"by id among {count:,}"] = listed
        contenders[f"by RP among {count:,}"] = unlisted
    cost = cost_of(contenders)
    for way in ("by id", "by RP"):
        base = cost[f"{way} among {FEW}"]
        for count in (FEW, *COUNTS):
            name = f"{way} among {count:,}"
            ratio = cost[name] / base
            yield Row(
                "capacity",
                f"assertion {name} discoverable credentials",
                cost[name],
                ratio,
                f"of that with {FEW}",
                "≤ 1.5" if count > FEW else "",
                ratio <= 1.5 if count > FEW else None,
            )
    yield from _fleet()


def _filled(count: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """An authenticator with ``count`` credentials, ten at each RP: two ways to sign in to one."""
    profile = dataclasses.replace(load_profile("reference"), credential_capacity=count)
    authenticator = Authenticator(
        profile, SimulatedClock(), OsEntropy(), MemoryFlash(), touch_at_once()
    )

    def call(command: int, request: dict[int, object]) -> bytes:
        response = authenticator.start(bytes((command,)) + cbor.encode(request)).response
        assert response is not None
        assert response[0] == 0, response[0]
        return response[1:]

    for number in range(count):
        made = call(
            0x01,
            {
                1: HASH,
                2: {"id": f"{number // 10}.example"},
                3: {"id": str(number).encode()},
                4: [{"alg": -7, "type": "public-key"}],
                7: {"rk": True},
            },
        )
    data = cbor.decode(made)[2]
    credential_id = data[55 : 55 + int.from_bytes(data[53:55], "big")]
    rp_id = f"{(count - 1) // 10}.example"
    allowed = [{"id": credential_id, "type": "public-key"}]
    return (
        lambda: call(0x02, {1: rp_id, 2: HASH, 3: allowed}),
        lambda: call(0x02, {1: rp_id, 2: HASH}),
    )


def _fleet() -> Iterator[Row]:
    ran = subprocess.run([sys.executable, "-c", _FLEET], capture_output=True, text=True, check=True)
    made_s, used_s, mib = json.loads(ran.stdout)
    yield Row("capacity", f"{KEYS} keys made in one process", made_s, goal="< 2 s", held=made_s < 2)
    yield Row(
        "capacity",
        f"{KEYS} keys with a credential each, and the process they live in",
        used_s,
        mib,
        "MiB",
        "< 300",
        mib < 300,
    )
