"""CSV seed files, read back by Python's reader."""

import base64
import csv
import io
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.otp.hotp import ALGORITHMS
from firmware_sim.otp.seed_file import csv_file, write_csv
from firmware_sim.otp.token import TokenKind, TokenSpec

token_specs = st.builds(
    TokenSpec,
    serial_number=st.text("ABCabc019_+=/:,.@-", min_size=9, max_size=40),
    seed=st.binary(min_size=16, max_size=80),
    kind=st.sampled_from(TokenKind),
    algorithm=st.sampled_from(ALGORITHMS),
    digits=st.integers(6, 8),
    period_s=st.sampled_from([30, 60]),
)

SPEC = TokenSpec("TKTEST00000001", b"12345678901234567890")


def read(file: bytes) -> list[TokenSpec]:
    return [
        TokenSpec(
            serial_number=row["serial number"],
            seed=base64.b32decode(row["secret key"]),
            kind=TokenKind(row["type"]),
            algorithm=row["algorithm"],
            digits=int(row["digits"]),
            period_s=int(row["time interval"] or 30),
        )
        for row in csv.DictReader(io.StringIO(file.decode("ascii")), strict=True)
    ]


@given(st.lists(token_specs, max_size=5))
def test_a_reader_finds_what_was_written(specs: list[TokenSpec]) -> None:
    found = read(csv_file(specs))
    for spec, other in zip(specs, found, strict=True):
        assert (other.serial_number, other.seed) == (spec.serial_number, spec.seed)
        assert (other.kind, other.algorithm, other.digits) == (
            spec.kind,
            spec.algorithm,
            spec.digits,
        )
        assert other.period_s == (spec.period_s if spec.kind is TokenKind.TOTP else 30)


def test_the_text_of_the_file() -> None:
    hotp_spec = TokenSpec(
        "A,B=C@D-00000001", bytes(16), TokenKind.HOTP, algorithm="SHA256", digits=8, period_s=60
    )
    assert csv_file([SPEC, hotp_spec]).decode() == (
        "serial number,secret key,time interval,digits,algorithm,type,counter,manufacturer,model\n"
        "TKTEST00000001,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,30,6,SHA1,TOTP,,tokenkit,TOTP-6\n"
        '"A,B=C@D-00000001",AAAAAAAAAAAAAAAAAAAAAAAAAA======,,8,SHA256,HOTP,0,tokenkit,HOTP-8\n'
    )


def test_the_file_is_private_and_is_not_overwritten_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "seeds.csv"
    write_csv([SPEC], path)
    first = path.read_bytes()
    assert first == csv_file([SPEC])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_csv([], path)
    assert path.read_bytes() == first
    write_csv([], path, overwrite=True)
    assert path.read_bytes() == csv_file([])
