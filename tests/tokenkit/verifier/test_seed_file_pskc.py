"""Encrypted PSKC: passwords, and files that were changed or cut off on their way."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.otp import seed_file as factory
from tokenkit.verifier import SeedFileError, Verifier
from tokenkit.verifier.seed_file import (
    SeedKeyError,
    parse_seed_file,
    preview_seed_file,
    read_seed_file,
)
from tokenkit.virtual import World, write_pskc

BATCH = World(seed=1).make_batch("CRYPT", 3).tokens
PASSWORD = "correct horse ß"
KEY = bytes(range(16))
# The values of RFC 6030 figure 7, whose password is qwerty, as a TOTP token
FIGURE_7 = """<KeyContainer xmlns="urn:ietf:params:xml:ns:keyprov:pskc" Version="1.0"
 xmlns:e11="http://www.w3.org/2009/xmlenc11#" xmlns:enc="http://www.w3.org/2001/04/xmlenc#"
 xmlns:p5="http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#"><EncryptionKey>
<e11:DerivedKey><e11:KeyDerivationMethod
 Algorithm="http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#pbkdf2">
<p5:PBKDF2-params><Salt><Specified>Ej7/PEpyEpw=</Specified></Salt><IterationCount>1000
</IterationCount><KeyLength>16</KeyLength><PRF/></p5:PBKDF2-params></e11:KeyDerivationMethod>
</e11:DerivedKey></EncryptionKey>
<MACMethod Algorithm="http://www.w3.org/2000/09/xmldsig#hmac-sha1"><MACKey>
<enc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/><enc:CipherData>
<enc:CipherValue>2GTTnLwM3I4e5IO5FkufoOEiOhNj91fhKRQBtBJYluUDsPOLTfUvoU2dStyOwYZx
</enc:CipherValue></enc:CipherData></MACKey></MACMethod>
<KeyPackage><DeviceInfo><SerialNo>987654321</SerialNo></DeviceInfo>
<Key Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp" Id="123456"><Data><Secret><EncryptedValue>
<enc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/><enc:CipherData>
<enc:CipherValue>oTvo+S22nsmS2Z/RtcoF8Hfh+jzMe0RkiafpoDpnoZTjPYZu6V+A4aEn032yCr4f
</enc:CipherValue></enc:CipherData></EncryptedValue><ValueMAC>LP6xMvjtypbfT9PdkJhBZ+D6O4w=</ValueMAC>
</Secret></Data></Key></KeyPackage></KeyContainer>"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The same batch under a pre-shared key and under a password, with few iterations."""
    path = tmp_path_factory.mktemp("pskc") / "seeds"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factory, "_ITERATIONS", 10)
        write_pskc(BATCH, path, password=PASSWORD)
        by_password = path.read_text()
        write_pskc(BATCH, path, password=PASSWORD, overwrite=True)
        assert path.read_text() == by_password
    write_pskc(BATCH, path, KEY, overwrite=True)
    return {"password": by_password, "key": path.read_text()}


def parse(xml: str, key: bytes | None = None, password: str | None = None) -> list[bytes]:
    seeds = parse_seed_file(xml.encode(), "seeds", key, password)
    return [seed.secret for seed in seeds]


class TestPasswords:
    def test_the_example_of_the_standard(self) -> None:
        assert parse(FIGURE_7, password="qwerty") == [b"12345678901234567890"]
        with pytest.raises(SeedKeyError, match=r"wrong password\?"):
            parse(FIGURE_7, password="qwertz")

    def test_round_trip(self, files: dict[str, str]) -> None:
        assert parse(files["password"], password=PASSWORD) == [spec.seed for spec in BATCH]

    def test_as_the_factory_writes_it(self, tmp_path: Path) -> None:
        """Deriving the key is what takes time."""
        write_pskc(BATCH, tmp_path / "seeds", password=PASSWORD)
        verifier = Verifier(now=time.perf_counter)
        assert verifier.import_seeds(tmp_path / "seeds", password=PASSWORD) == [
            spec.serial_number for spec in BATCH
        ]
        verifier.close()

    def test_what_is_missing_or_wrong(self, files: dict[str, str]) -> None:
        xml = files["password"]
        for password in ("wrong", PASSWORD + " ", PASSWORD.upper()):
            with pytest.raises(SeedKeyError, match=r"^seeds: wrong password\?"):
                parse(xml, password=password)
        with pytest.raises(SeedKeyError, match=r"give the password$") as refused:
            parse(xml)
        assert refused.value.missing == "password"
        with pytest.raises(SeedKeyError, match=r"give the password$"):
            parse(xml, KEY)
        with pytest.raises(SeedKeyError, match=r"give the pre-shared key$"):
            parse(files["key"], password=PASSWORD)

    def test_both_may_be_given(self, files: dict[str, str]) -> None:
        assert parse(files["password"], KEY, PASSWORD) == parse(files["key"], KEY, PASSWORD)

    @pytest.mark.parametrize(
        ("element", "value", "message"),
        [
            ("IterationCount", "10000001", "10000001 iterations of PBKDF2; more than 10000000 are"),
            ("IterationCount", "9" * 100, "iterations of PBKDF2"),
            ("IterationCount", "-1", "not PSKC"),
            ("IterationCount", "x", "not PSKC"),
            ("KeyLength", "65", "a key of 65 bytes"),
            ("KeyLength", "17", "Invalid key length"),
            ("KeyLength", "-1", "not PSKC"),
        ],
    )
    def test_parameters_that_are_refused(
        self, files: dict[str, str], element: str, value: str, message: str
    ) -> None:
        """At once: it does not take the time that they ask for."""
        xml = re.sub(rf"({element}>)\d+<", rf"\g<1>{value}<", files["password"])
        assert xml != files["password"]
        start = time.perf_counter()
        with pytest.raises(SeedFileError, match=message):
            parse(xml, password=PASSWORD)
        assert time.perf_counter() - start < 5

    @pytest.mark.parametrize(
        "options", [{"pre_shared_key": KEY, "password": "x"}, {"password": ""}]
    )
    def test_what_is_not_written(self, tmp_path: Path, options: dict[str, bytes | str]) -> None:
        with pytest.raises(ValueError, match=r"not both|protects nothing"):
            write_pskc(BATCH, tmp_path / "seeds", **options)  # type: ignore[arg-type]
        assert list(tmp_path.iterdir()) == []


class TestTampering:
    """One token of three is not as it was sent."""

    @pytest.fixture(params=["password", "key"])
    def opened(self, request: pytest.FixtureRequest, files: dict[str, str]) -> dict[str, object]:
        which = request.param
        return {
            "xml": files[which],
            "pre_shared_key": KEY if which == "key" else None,
            "password": PASSWORD if which == "password" else None,
        }

    def changed(self, opened: dict[str, object], old: str, new: str) -> tuple[str, list[str]]:
        """The one fault, and which tokens are left, after a change in the second package."""
        first, *packages = str(opened.pop("xml")).split("<pskc:KeyPackage>")
        packages[1] = re.sub(old, new, packages[1], count=1)
        xml = "<pskc:KeyPackage>".join([first, *packages]).encode()
        preview = preview_seed_file(xml, **opened)  # type: ignore[arg-type]
        with pytest.raises(SeedFileError):
            parse_seed_file(xml, "seeds", **opened)  # type: ignore[arg-type]
        [fault] = preview.faults
        return str(fault), [seed.serial_number for seed in preview.seeds]

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            (
                r"CipherValue>[^<]{4}",
                "CipherValue>AAAA",
                "MAC value does not match: it was changed",
            ),
            (r"CipherValue>[^<]{40}", "CipherValue>", "it was changed or cut off"),
            (r"ValueMAC>(..)", r"ValueMAC>ZZ", "MAC value does not match: it was changed"),
            (r"<pskc:ValueMAC>[^<]*</pskc:ValueMAC>", "", r"secret has no MAC \(ValueMAC\)"),
            (r"ValueMAC>[^<]*<", "ValueMAC><", r"secret has no MAC \(ValueMAC\)"),
            (r"CipherValue>[^<]*<", "CipherValue><", "the secret key is empty"),
            (r"#aes128-cbc", "#rot13", "it was changed or cut off|Unsupported algorithm"),
        ],
    )
    def test_it_is_told_and_the_others_are_there(
        self, opened: dict[str, object], old: str, new: str, message: str
    ) -> None:
        fault, left = self.changed(opened, old, new)
        assert re.search(r"^line \d+, key 2, CRYPT00000002: ", fault)
        assert re.search(message, fault)
        assert left == ["CRYPT00000001", "CRYPT00000003"]

    def test_the_rest_is_imported_if_told_so(self, files: dict[str, str], tmp_path: Path) -> None:
        xml = files["key"]
        at = xml.rindex("<pskc:ValueMAC>") + len("<pskc:ValueMAC>")
        (tmp_path / "seeds").write_text(xml[:at] + "AAAA" + xml[at + 4 :])
        verifier = Verifier(now=time.perf_counter)
        with pytest.raises(SeedFileError, match="key 3, CRYPT00000003: MAC value does not match"):
            verifier.import_seeds(tmp_path / "seeds", pre_shared_key=KEY)
        assert verifier.devices() == []
        found = verifier.import_seeds(tmp_path / "seeds", pre_shared_key=KEY, skip_faulty=True)
        assert found == ["CRYPT00000001", "CRYPT00000002"]
        verifier.close()

    def test_a_mac_key_that_was_changed(self, files: dict[str, str]) -> None:
        xml = re.sub(r"CipherValue>[^<]{4}", "CipherValue>AAAA", files["key"], count=1)
        with pytest.raises(SeedKeyError, match="wrong pre-shared key"):
            parse(xml, KEY)

    @given(st.data())
    def test_cut_off_or_changed_anywhere(self, files: dict[str, str], data: st.DataObject) -> None:
        """Never another secret: SeedFileError, or what was sent."""
        which = data.draw(st.sampled_from(["password", "key"]))
        contents = bytearray(files[which].encode())
        if data.draw(st.booleans()):
            del contents[data.draw(st.integers(0, len(contents) - 20)) :]
        else:
            at = data.draw(st.integers(contents.index(b"<pskc:MACMethod"), len(contents) - 1))
            contents[at] ^= data.draw(st.integers(1, 127))
        found = preview_seed_file(
            bytes(contents),
            KEY if which == "key" else None,
            PASSWORD if which == "password" else None,
        )
        sent = {spec.seed for spec in BATCH}
        assert all(seed.secret in sent for seed in found.seeds)
        assert len(found.seeds) + len(found.faults) >= 1


def test_serial_numbers_that_contradict_each_other(tmp_path: Path) -> None:
    """Of two that are the same one is as good as the other; of two that differ neither is."""
    header, row = "serial number,secret hex\n", "TOKEN00000{},{}\n"
    rows = [
        row.format(n, seed) for n, seed in ((1, "00"), (2, "00"), (1, "00"), (2, "01"), (3, "00"))
    ]
    (tmp_path / "seeds").write_text(header + "".join(rows))
    with pytest.raises(SeedFileError) as refused:
        read_seed_file(tmp_path / "seeds")
    assert str(refused.value).splitlines()[1:] == [
        "  line 4: serial number TOKEN000001 is in it already: line 2",
        "  line 5: serial number TOKEN000002 is in it already: line 3, and says something else",
    ]
    left = read_seed_file(tmp_path / "seeds", skip_faulty=True)
    assert [seed.serial_number for seed in left] == ["TOKEN000001", "TOKEN000003"]
