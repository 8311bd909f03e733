"""CSV as makers of tokens and clouds write it; samples are made here, by what they document."""

import base64
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.verifier import SeedFileError
from tokenkit.verifier.seed_file import Seed, parse_seed_file, preview_seed_file, read_seed_file

SAMPLES = Path(__file__).parent / "seed_files"
ONE, TWO = bytes(range(20)), bytes(range(20, 40))
DOCUMENT = Path(__file__).parents[3] / "docs/seed-files.md"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("entra", [("FT1000000001", "SHA1", 6, 60), ("FT1000000002", "SHA1", 6, 30)]),
        ("safeid", [("100000001", "SHA1", 6, 60), ("100000002", "SHA1", 6, 30)]),
        ("graph", [("FT1000000001", "SHA1", 6, 60), ("FT1000000002", "SHA256", 6, 30)]),
        (
            "with-header-put-on-top",
            [("FT1000000001", "SHA1", 6, 60), ("FT1000000002", "SHA1", 8, 30)],
        ),
        ("spreadsheet", [("FT1000000001", "SHA1", 6, 60), ("FT1000000002", "SHA1", 8, 30)]),
    ],
)
def test_layouts(name: str, expected: list[tuple[str, str, int, int]]) -> None:
    assert read_seed_file(SAMPLES / f"{name}.csv") == [
        Seed(serial, secret, *rest)
        for (serial, *rest), secret in zip(expected, (ONE, TWO), strict=True)
    ]


def test_all_samples_are_documented() -> None:
    headers = {path.read_text("utf-8-sig").splitlines()[0] for path in SAMPLES.glob("*.csv")}
    text = DOCUMENT.read_text()
    assert all(header.replace("\t", " ⇥ ") in text for header in headers)


def parse(secret: str, column: str = "secret key") -> bytes:
    [seed] = parse_seed_file(f"serial,{column}\nTOKEN000001,{secret}\n".encode())
    return seed.secret


class TestHexadecimalOrBase32:
    @given(st.sampled_from([20, 32, 64]), st.data())
    def test_whole_keys_are_told_apart(self, size: int, data: st.DataObject) -> None:
        key = data.draw(st.binary(min_size=size, max_size=size))
        assert parse(key.hex()) == key
        assert parse(key.hex().upper()) == key
        text = base64.b32encode(key).decode()
        if re.fullmatch("[A-F2-7]+=*", text) is None:
            assert parse(text) == parse(text.rstrip("=").lower()) == key

    @pytest.mark.parametrize("secret", ["AAAABBBB", "A" * 32, "22334455" * 2, "AB"])
    def test_what_may_be_either_is_refused(self, secret: str) -> None:
        with pytest.raises(
            SeedFileError, match=r"line 2, TOKEN000001: .*'secret hex' or 'secret b"
        ):
            parse(secret)
        assert parse(secret, "secret hex") == bytes.fromhex(secret)
        assert parse(secret, "Secret (base32)") == base64.b32decode(
            secret + "=" * (-len(secret) % 8)
        )

    def test_beside_a_upn_it_is_base32(self) -> None:
        """Microsoft's documented sample, but for its serial number, which is too short for IAM."""
        header = "upn,serial number,secret key,time interval,manufacturer,model"
        row = "Helga@contoso.com,123456789,2234567abcdef2234567abcdef,60,Contoso,HardwareKey"
        secret = base64.b32decode("2234567ABCDEF2234567ABCDEF======")
        seeds = [Seed("123456789", secret, "SHA1", 6, 60)]
        assert parse_seed_file(f"{header}\n{row}\n".encode()) == seeds
        forty = f"{header}\n,TOKEN000001,{'A2' * 20},60,,\n".encode()
        assert parse_seed_file(forty)[0].secret == base64.b32decode("A2" * 20)
        with pytest.raises(SeedFileError, match="not base32"):
            parse_seed_file(forty.replace(b"A2", b"A0"))
        as_hex = forty.replace(b"secret key", b"secret hex")
        assert parse_seed_file(as_hex)[0].secret == bytes.fromhex("A2" * 20)

    @pytest.mark.parametrize(
        ("column", "secret", "message"),
        [
            ("secret hex", "ABC", r"not hexadecimal \(is it cut off\? It has 3 characters\)$"),
            ("secret hex", "GG", r"not hexadecimal \('G' is in it\)$"),
            ("secret base32", "0002", r"not base32 \('0' is in it\)$"),
            ("secret base32", "AB=C", r"not base32 \('=' is in it\)$"),
            ("secret base32", "ABC=====", r"not base32 \(is it cut off\? It has 3 characters\)$"),
            ("secret key", "00G1", r"base32 \('0' is in it\), nor hexadecimal \('G' is in it\)$"),
            (
                "secret key",
                "ABC",
                r"not base32, nor hexadecimal \(is it cut off\? It has 3 characters\)$",
            ),
            ("secret key", "ä", r"base32, nor hexadecimal \('Ä' is in it\)$"),
            ("secret key", " ", "TOKEN000001: the secret key is empty$"),
        ],
    )
    def test_what_is_neither(self, column: str, secret: str, message: str) -> None:
        with pytest.raises(SeedFileError, match=message) as refused:
            parse(secret, column)
        assert len(secret) < 3 or secret not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("serial,secret hex,secret base32\n", "'secret hex' and 'secret base32' are one too many"),
        ("serial,seed,secret\n", "'seed' and 'secret' mean the same: keep one"),
        ("FT1000000001,00,TOTP,6,30\n", "no column 'serial number': the first line names the col"),
        ("serial,secret\n2.30824E+12,00\n", "line 2, .*: a spreadsheet cut the serial number"),
        ("serial,secret\nTOKEN000001,1.2E+5\n", "nor hexadecimal"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(SeedFileError, match=message):
        parse_seed_file(text.encode())


@given(st.text('serialctk hx,;\t"\n0123456789ABCDEF=', max_size=80), st.binary(max_size=80))
def test_nothing_but_the_one_error(text: str, contents: bytes) -> None:
    for each in (f"serial,secret\n{text}".encode(), text.encode(), contents):
        preview = preview_seed_file(each)
        assert preview.tokens or preview.faults
