"""Seed files: what is read, and that nothing but SeedFileError comes of what cannot be."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pskc import PSKC

from tokenkit.verifier import DeviceKind, EntityAlreadyExists, SeedFileError, Verifier, seed_file
from tokenkit.verifier.seed_file import (
    Seed,
    parse_seed_file,
    preview_seed_file,
    read_seed_file,
)
from tokenkit.virtual import World, write_csv, write_pskc

KEY = bytes(range(16))
SECRET = base64.b32encode(bytes(range(20))).decode()
HEADER = "serial number,secret key,time interval,digits,algorithm,type\n"
WORLD = World(seed=1)


def read(path: Path, contents: bytes | str, key: bytes | None = None) -> list[Seed]:
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    return read_seed_file(path, key)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seeds") / "seeds"


def pskc_xml(key: str = "", data: str = "", info: str = "") -> str:
    """A PSKC file of one clear TOTP key."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc"><KeyPackage>
<DeviceInfo><SerialNo>TOKEN000001</SerialNo>{info}</DeviceInfo>
<Key Id="1" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp">{key}
<Data><Secret><PlainValue>AAECAwQFBgcICQoLDA0ODxAREhM=</PlainValue></Secret>{data}</Data>
</Key></KeyPackage></KeyContainer>"""


def response(attributes: str) -> str:
    return pskc_xml(f"<AlgorithmParameters><ResponseFormat {attributes}/></AlgorithmParameters>")


def interval(value: str) -> str:
    return pskc_xml(data=f"<TimeInterval><PlainValue>{value}</PlainValue></TimeInterval>")


def second_package() -> str:
    xml = pskc_xml()
    return xml[xml.index("<KeyPackage>") : xml.index("</KeyContainer>")]


class TestWhatFactoriesWrite:
    @given(
        st.sampled_from(["SHA1", "SHA256", "SHA512"]),
        st.integers(6, 8),
        st.sampled_from([30, 60]),
        st.integers(1, 4),
        st.sampled_from([None, bytes(16), bytes(24), bytes(32), "csv"]),
    )
    def test_round_trips(
        self, path: Path, algorithm: str, digits: int, period_s: int, count: int, how: Any
    ) -> None:
        tokens = WORLD.make_batch(
            "ROUND", count, algorithm=algorithm, digits=digits, period_s=period_s
        ).tokens
        if how == "csv":
            write_csv(tokens, path, overwrite=True)
        else:
            write_pskc(tokens, path, how, overwrite=True)
        assert read_seed_file(path, None if how == "csv" else how) == [
            Seed(token.serial_number, token.seed, algorithm, digits, period_s) for token in tokens
        ]

    def test_hotp_tokens_are_refused(self, path: Path) -> None:
        batch = WORLD.make_batch("EVENT", 2, kind="HOTP").tokens
        for write in (write_csv, write_pskc):
            write(batch, path, overwrite=True)
            with pytest.raises(
                SeedFileError, match=r"(?i)hotp token: only TOTP tokens can be enabled"
            ):
                read_seed_file(path)

    def test_ten_thousand_tokens(self, bench: Any, path: Path) -> None:
        batch = WORLD.make_batch("MANY", 10_000)
        write_csv(batch.tokens, path, overwrite=True)
        serial_numbers = bench.verifier.import_seeds(path)
        assert serial_numbers == [token.serial_number for token in batch.tokens]
        last = bench.token(serial_numbers[-1], base64.b32encode(batch.tokens[-1].seed).decode())
        device = bench.enable(last)
        assert device.kind == DeviceKind.HARDWARE_TOKEN
        with pytest.raises(EntityAlreadyExists, match="MANY00000001 and 9999 more known already"):
            bench.verifier.import_seeds(path)


class TestPskc:
    def test_a_clear_one(self, path: Path) -> None:
        seed = Seed("TOKEN000001", bytes(range(20)), "SHA1", 6, 30)
        assert read(path, pskc_xml()) == [seed]
        assert read(path, b"\xef\xbb\xbf\n" + pskc_xml().partition("?>")[2].encode()) == [seed]

    def test_what_it_says_of_the_codes(self, path: Path) -> None:
        xml = pskc_xml(
            "<AlgorithmParameters><Suite>HMAC-SHA256</Suite>"
            '<ResponseFormat Length="8" Encoding="DECIMAL"/></AlgorithmParameters>',
            "<TimeInterval><PlainValue>60</PlainValue></TimeInterval>",
        )
        assert read(path, xml) == [Seed("TOKEN000001", bytes(range(20)), "SHA256", 8, 60)]

    @pytest.mark.parametrize("key", [b"x" * 16, b"x" * 15, b"", None])
    def test_a_wrong_or_missing_pre_shared_key(self, path: Path, key: bytes | None) -> None:
        write_pskc(WORLD.make_batch("CRYPT", 3).tokens, path, KEY, overwrite=True)
        message = "wrong pre-shared key" if key else "give the pre-shared key"
        with pytest.raises(SeedFileError, match=message):
            read_seed_file(path, key)
        assert len(read_seed_file(path, KEY)) == 3

    def test_a_key_for_a_clear_file_does_no_harm(self, path: Path) -> None:
        assert len(read(path, pskc_xml(), KEY)) == 1

    @pytest.mark.parametrize(
        ("xml", "message"),
        [
            ("<", "not PSKC"),
            ("<a/>", "not PSKC"),
            ("<KeyContainer/>", "no token in it"),
            ('<KeyContainer Version="2.0"/>', "not PSKC: Unsupported version"),
            (pskc_xml()[:-3], "not PSKC"),
            (pskc_xml().replace("pskc:totp", "pskc:ocra"), "key 1, TOKEN000001: ocra token"),
            (pskc_xml().replace("pskc:totp", ""), "key 1, TOKEN000001: unknown token"),
            (pskc_xml().replace("TOKEN000001", "SHORT"), "serial number"),
            (pskc_xml().replace("TOKEN000001", "a b c d e"), "serial number"),
            (pskc_xml().replace("AAECAwQFBgcICQoLDA0ODxAREhM=", "x"), "not PSKC"),
            (pskc_xml().replace("AAECAwQFBgcICQoLDA0ODxAREhM=", ""), "the secret key is empty"),
            (response('Length="9"'), "6 to 8 digits"),
            (response('Length="-6"'), "6 to 8 digits"),
            (response('Length="six"'), "not PSKC"),
            (response('Length="6" Encoding="HEXADECIMAL"'), "codes are HEXADECIMAL, not DECIMAL"),
            (response('Length="6" CheckDigits="true"'), "check digit"),
            (pskc_xml("<AlgorithmParameters><Suite>MD5</Suite></AlgorithmParameters>"), "'MD5'"),
            (interval("0"), "time interval"),
            (interval("3601"), "time interval"),
            (interval("-30"), "time interval"),
            (interval("/" * 4000), "time interval"),
            (pskc_xml(info="<StartDate>99999999999999999999</StartDate>"), "not PSKC"),
            (pskc_xml(info="<StartDate>tomorrow</StartDate>"), "not PSKC"),
            (
                pskc_xml().replace("</KeyPackage>", "</KeyPackage>" + second_package()),
                "is in it already",
            ),
        ],
    )
    def test_what_cannot_be_imported(self, path: Path, xml: str, message: str) -> None:
        with pytest.raises(SeedFileError, match=message):
            read(path, xml)

    @pytest.mark.parametrize(
        "entities",
        [
            '<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">',
            '<!ENTITY b SYSTEM "file:///etc/hostname">',
        ],
        ids=["bomb", "external"],
    )
    def test_entities_are_refused(self, path: Path, entities: str) -> None:
        xml = pskc_xml(info="<Model>&b;</Model>").replace(
            "<KeyContainer", f"<!DOCTYPE KeyContainer [{entities}]><KeyContainer", 1
        )
        with pytest.raises(SeedFileError, match="not PSKC: Error parsing XML"):
            read(path, xml)

    def test_endless_nesting(self, path: Path) -> None:
        deep = "<a>" * 20_000 + "</a>" * 20_000
        assert len(read(path, pskc_xml(info=deep))) == 1


class TestCsv:
    @pytest.mark.parametrize(
        "text",
        [
            f"serial number,secret key\nTOKEN000001,{SECRET}\n",
            f"serial number,secret key\r\nTOKEN000001,{SECRET}",
            f"\ufeff Serial Number , SECRET KEY\nTOKEN000001,{SECRET.lower()}\n\n",
            f'"serial number","secret key","x"\n"TOKEN000001", "{SECRET}","y"\n',
            f"secret key,serial number\n{SECRET[:4]} {SECRET[4:]},TOKEN000001\n",
            HEADER + f"TOKEN000001,{SECRET},,,,\n",
            HEADER + f"TOKEN000001,{SECRET},30,6,sha-1,TOTP\n",
        ],
    )
    def test_ways_to_write_the_same(self, path: Path, text: str) -> None:
        assert read(path, text) == [Seed("TOKEN000001", bytes(range(20)), "SHA1", 6, 30)]

    def test_what_it_says_of_the_codes(self, path: Path) -> None:
        [seed] = read(path, HEADER + f"TOKEN000001,{SECRET},60,8,HMAC-SHA512,totp\n")
        assert (seed.algorithm, seed.digits, seed.period_s) == ("SHA512", 8, 60)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "no column 'serial number'"),
            ("\n", "no column"),
            ("serial number\nTOKEN000001\n", "no column 'secret key'"),
            (f"TOKEN000001,{SECRET}\n", "the first line names the columns"),
            (HEADER, "no token in it"),
            (f"{HEADER}TOKEN000001,{SECRET}\n", "line 2: not as many fields"),
            (f"{HEADER}TOKEN000001,{SECRET},,,,,\n", "line 2: not as many fields"),
            (
                f"{HEADER}TOKEN000001,{SECRET}1,,,,\n",
                "line 2, TOKEN000001: the secret key is not base32",
            ),
            (f"{HEADER}TOKEN000001,ä,,,,\n", "not base32"),
            (f"{HEADER}TOKEN000001,,,,,\n", "the secret key is empty"),
            (f"{HEADER}TOKEN000001,{'Z' * 8 * 300},,,,\n", "key of 1500 bytes"),
            (
                f"{HEADER}SHORT,{SECRET},,,,\n",
                "SHORT: serial number 'SHORT' has 5 characters; IAM wants 9 to 256",
            ),
            (f"{HEADER}TOKEN000001,{SECRET},0,,,\n", "time interval"),
            (f"{HEADER}TOKEN000001,{SECRET},3601,,,\n", "time interval"),
            (f"{HEADER}TOKEN000001,{SECRET},-30,,,\n", "time interval '-30' is no number"),
            (f"{HEADER}TOKEN000001,{SECRET},٣٠,,,\n", "is no number"),
            (f"{HEADER}TOKEN000001,{SECRET},,5,,\n", "6 to 8 digits"),
            (f"{HEADER}TOKEN000001,{SECRET},,6.0,,\n", "digits '6.0' is no number"),
            (f"{HEADER}TOKEN000001,{SECRET},,,MD5,\n", "algorithm 'MD5' is not one of SHA1, "),
            (
                f"{HEADER}TOKEN000001,{SECRET},,,,hotp\n",
                "line 2, TOKEN000001: hotp token: only TOTP",
            ),
            (
                f"{HEADER}" + f"TOKEN000001,{SECRET},,,,\n" * 3,
                "2 faults, nothing was imported:\n  line 3: serial number TOKEN000001 is in",
            ),
            (f'{HEADER}"TOKEN000001,{SECRET},,,,\n', "line 2: unexpected end of data"),
            (f"{HEADER}{'x' * 200_000},{SECRET},,,,\n", "field larger than field limit"),
            ("serial number,secret key,secret key\n", "column 'secret key' is there twice"),
        ],
    )
    def test_what_cannot_be_imported(self, path: Path, text: str, message: str) -> None:
        with pytest.raises(SeedFileError, match=message):
            read(path, text)

    @pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
    def test_other_encodings(self, path: Path, encoding: str) -> None:
        text = f"serial number,secret key,maker\nTOKEN000001,{SECRET},Büro\n"
        with pytest.raises(SeedFileError, match="neither XML"):
            read(path, text.encode(encoding))


def faults(contents: bytes | str, key: bytes | None = None) -> list[tuple[str, str]]:
    contents = contents if isinstance(contents, bytes) else contents.encode()
    found = preview_seed_file(contents, key).faults
    return [(str(fault.place or "file"), fault.message) for fault in found]


def package(serial_number: str, key: str = "", suite: str = "") -> str:
    if suite:
        key += f"<AlgorithmParameters><Suite>{suite}</Suite></AlgorithmParameters>"
    return second_package().replace("TOKEN000001", serial_number).replace('totp">', 'totp">' + key)


class TestPreview:
    def test_a_good_file(self) -> None:
        preview = preview_seed_file(f"{HEADER}TOKEN000001,{SECRET},,,,\n".encode())
        assert preview.seeds == [Seed("TOKEN000001", bytes(range(20)), "SHA1", 6, 30)]
        assert [str(place) for place, _ in preview.tokens] == ["line 2"]
        assert preview.faults == []

    def test_all_faults_of_csv_by_line(self) -> None:
        text = (
            f"{HEADER}TOKEN000001,{SECRET},,,,\n"
            f"TOKEN000002,?,,,,\n"
            f"TOKEN000003,{SECRET},,9,,\n"
            f"TOKEN000004,{SECRET}\n"
            f"TOKEN000001,{SECRET},,,,\n"
            f'"TOKEN\n5",{SECRET},,,,\n'
            f"TOKEN000006,{SECRET},60,8,SHA256,\n"
        )
        assert faults(text) == [
            ("line 3", "the secret key is not base32, nor hexadecimal ('?' is in it)"),
            ("line 4", "its codes do not have 6 to 8 digits"),
            ("line 5", "not as many fields as the first line names"),
            ("line 6", "serial number TOKEN000001 is in it already: line 2"),
            ("line 8", faults_of_names("TOKEN\n5")),
        ]
        seeds = preview_seed_file(text.encode()).seeds
        assert [seed.serial_number for seed in seeds] == ["TOKEN000001", "TOKEN000006"]

    def test_a_line_after_which_nothing_can_be_read(self) -> None:
        text = f'{HEADER}TOKEN000001,{SECRET},,,,\n"TOKEN000002,{SECRET},,,,\n'
        assert faults(text) == [("line 3", "unexpected end of data")]

    def test_all_faults_of_pskc_by_line(self) -> None:
        xml = pskc_xml().replace(
            "</KeyPackage>",
            "</KeyPackage>\n"
            + package("TOKEN000002", suite="MD5")
            + package(
                "TOKEN000003",
                '<AlgorithmParameters><ResponseFormat Length="six"/></AlgorithmParameters>',
            )
            + package("TOKEN000004").replace("</SerialNo>", "</SerialNo><StartDate>?</StartDate>")
            + package("TOKEN000001")
            + package("TOKEN000005"),
        )
        found = faults(xml)
        assert [place for place, _ in found] == [
            f"line {line}, key {key}" for line, key in ((9, 2), (13, 3), (17, 4), (21, 5))
        ]
        for (_, message), start in zip(
            found,
            [
                "algorithm 'MD5' is not one of",
                "not PSKC: invalid literal for int",
                "not PSKC: Unknown string format",
                "serial number TOKEN000001 is in it already: line 4, key 1",
            ],
            strict=True,
        ):
            assert message.startswith(start)
        seeds = preview_seed_file(xml.encode()).seeds
        assert [seed.serial_number for seed in seeds] == ["TOKEN000001", "TOKEN000005"]

    def test_several_keys_in_one_package(self) -> None:
        start, end = pskc_xml().partition("<Key Id")[0], "</KeyPackage></KeyContainer>"
        key = pskc_xml()[len(start) : -len(end)]
        hotp = key.replace("pskc:totp", "pskc:hotp")
        xml = start + hotp + "\n" + key + end
        assert faults(xml) == [
            ("line 4, key 1", "hotp token: only TOTP tokens can be enabled"),
        ]
        assert [str(place) for place, _ in preview_seed_file(xml.encode()).tokens] == [
            "line 7, key 2"
        ]

    @pytest.mark.parametrize(
        ("contents", "message"),
        [
            (
                b"",
                "no column 'serial number': the first line names the columns, such as"
                " 'serial number,secret key,time interval'",
            ),
            (HEADER.encode(), "no token in it"),
            (
                b"\xff",
                "neither XML (PSKC) nor CSV: line 1: not UTF-8 text: save it as 'CSV UTF-8'",
            ),
            (b"<a/>", "not PSKC: Missing KeyContainer"),
            (b"<a>\n</b>", "not PSKC: Error parsing XML: mismatched tag: line 2, column 2"),
        ],
    )
    def test_what_is_wrong_with_all_of_it(self, contents: bytes, message: str) -> None:
        assert faults(contents) == [("file", message)]

    def test_a_missing_key_is_said_once(self, path: Path) -> None:
        write_pskc(WORLD.make_batch("CRYPT", 3).tokens, path, KEY, overwrite=True)
        [(place, message)] = faults(path.read_bytes())
        assert place == "file"
        assert message.endswith("give the pre-shared key")
        assert faults(path.read_bytes(), KEY) == []

    @given(st.data())
    def test_it_finds_what_parsing_finds(self, originals: list[bytes], data: st.DataObject) -> None:
        """The same tokens if there is no fault, and parsing's fault among them if there is."""
        contents = data.draw(st.sampled_from(originals))
        for _ in range(data.draw(st.integers(0, 3))):
            at = data.draw(st.integers(0, len(contents)))
            instead = data.draw(st.binary(max_size=3))
            contents = contents[:at] + instead + contents[at + data.draw(st.integers(0, 9)) :]
        preview = preview_seed_file(contents, KEY)
        try:
            seeds = parse_seed_file(contents, "seeds", KEY)
        except SeedFileError as error:
            told = str(error)
            assert preview.faults
            assert all(str(fault) in told for fault in preview.faults[:20])
        else:
            assert preview.faults == []
            assert preview.seeds == seeds


def faults_of_names(serial_number: str) -> str:
    return (
        f"serial number {serial_number!r} has {len(serial_number)} characters; IAM wants 9 to 256"
    )


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "message"),
        [("missing", "No such file"), (".", "Is a directory"), ("a\0b", "null byte")],
    )
    def test_what_cannot_be_read(self, tmp_path: Path, name: str, message: str) -> None:
        with pytest.raises(SeedFileError, match=message):
            read_seed_file(tmp_path / name)

    def test_a_name_that_no_file_can_have(self, tmp_path: Path) -> None:
        with pytest.raises(SeedFileError, match="surrogates not allowed"):
            read_seed_file(tmp_path / "\ud800")

    def test_one_that_is_too_large(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(seed_file, "_MOST_BYTES", 1000)
        with pytest.raises(SeedFileError, match="over 0 MiB: split it"):
            read(path, "x" * 1001)

    def test_the_name_of_the_file_is_in_the_message(self, path: Path) -> None:
        with pytest.raises(SeedFileError, match=f"^{path}: "):
            read(path, "")


class TestImporting:
    def test_all_or_nothing(self, bench: Any, path: Path) -> None:
        def contents(*numbers: int, end: str = "") -> str:
            lines = "".join(f"TOKEN00000{number},{SECRET}\n" for number in numbers)
            return "serial number,secret key\n" + lines + end

        verifier: Verifier = bench.verifier
        path.write_text(contents(1, 2))
        assert verifier.import_seeds(str(path)) == ["TOKEN000001", "TOKEN000002"]
        asked = [f"TOKEN00000{number}" for number in (3, 2, 1)]
        assert verifier.known_serial_numbers(asked) == ["TOKEN000001", "TOKEN000002"]
        path.write_text(contents(3, 1))
        with pytest.raises(
            EntityAlreadyExists, match=r"^MFA device already exists\. Nothing.*: TOKEN000001 known"
        ):
            verifier.import_seeds(path)
        path.write_text(contents(3, 4, end="TOKEN000005,?\n"))
        with pytest.raises(SeedFileError, match="line 4"):
            verifier.import_seeds(path)
        path.write_text(contents(3, 4))
        verifier.import_seeds(path)
        assert [(line.event, line.detail) for line in verifier.audit()] == [
            ("import-seeds", {"count": 2}),
            ("import-seeds-refused", {"error": "EntityAlreadyExists"}),
            ("import-seeds", {"count": 2}),
        ]
        assert verifier.devices() == []  # nobody's yet

    def test_with_a_pre_shared_key(self, bench: Any, path: Path) -> None:
        [token] = WORLD.make_batch("SEALED", 1).tokens
        write_pskc([token], path, KEY, overwrite=True)
        with pytest.raises(SeedFileError):
            bench.verifier.import_seeds(path)
        assert bench.verifier.import_seeds(path, pre_shared_key=KEY) == [token.serial_number]
        bench.enable(bench.token(token.serial_number, base64.b32encode(token.seed).decode()))


def written(write: Callable[..., None], tmp_path_factory: Any, *options: Any) -> bytes:
    path = tmp_path_factory.mktemp("written") / "seeds"
    write(WORLD.make_batch("FUZZ", 2).tokens, path, *options)
    contents: bytes = path.read_bytes()
    return contents


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return [
        written(write_csv, tmp_path_factory),
        written(write_pskc, tmp_path_factory),
        written(write_pskc, tmp_path_factory, KEY),
        pskc_xml(
            '<AlgorithmParameters><ResponseFormat Length="8" CheckDigits="false"/>'
            "</AlgorithmParameters><Policy><StartDate>2020-01-01T00:00:00Z</StartDate></Policy>",
            "<TimeInterval><PlainValue>60</PlainValue></TimeInterval>",
        ).encode(),
    ]


class TestBytesFromOutside:
    """Whatever they are: seeds that can be used, or SeedFileError."""

    @given(st.binary(max_size=200), st.sampled_from([b"", b"<", HEADER.encode()]))
    def test_any(self, path: Path, contents: bytes, start: bytes) -> None:
        demand_seeds_or_refusal(path, start + contents)

    @given(
        st.integers(0, 3),
        st.lists(st.tuples(st.floats(0, 1), st.integers(0, 20), st.binary(max_size=4)), max_size=4),
    )
    def test_a_good_file_that_was_damaged(
        self, path: Path, originals: list[bytes], which: int, cuts: list[tuple[float, int, bytes]]
    ) -> None:
        contents = originals[which]
        for place, length, instead in cuts:
            start = int(place * len(contents))
            contents = contents[:start] + instead + contents[start + length :]
        demand_seeds_or_refusal(path, contents)

    @given(
        st.integers(1, 3),
        st.sampled_from([">", '="']),
        st.integers(0, 60),
        st.one_of(
            st.text(st.characters(exclude_characters='<>&"', exclude_categories=["C"])),
            st.integers().map(str),
            st.sampled_from(["9" * 4000, "9" * 5000, "1e400", "nan", "/" * 40, "0001-01-01"]),
        ),
    )
    def test_a_value_that_cannot_be(
        self, path: Path, originals: list[bytes], which: int, mark: str, at: int, value: str
    ) -> None:
        """In place of the text of an element, or of an attribute."""
        parts = originals[which].decode().split(mark)
        number = 1 + at % (len(parts) - 1)
        rest = parts[number].partition("<" if mark == ">" else '"')
        parts[number] = value + rest[1] + rest[2]
        demand_seeds_or_refusal(path, mark.join(parts).encode())


def demand_seeds_or_refusal(path: Path, contents: bytes) -> None:
    for key in (None, KEY):
        try:
            seeds = read(path, contents, key)
        except SeedFileError:
            continue
        assert seeds
        assert len({seed.serial_number for seed in seeds}) == len(seeds)
        assert all(seed.secret and 6 <= seed.digits <= 8 for seed in seeds)


def test_pskc_of_another_writer(path: Path) -> None:
    """As python-pskc itself writes it, encrypted under a key of 32 bytes."""
    container = PSKC()
    container.add_key(
        serial="TOKEN000001",
        secret=b"12345678901234567890",
        algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp",
    )
    container.encryption.setup_preshared_key(key=bytes(32), algorithm="aes256-cbc")
    container.write(str(path))
    assert read_seed_file(path, bytes(32)) == [
        Seed("TOKEN000001", b"12345678901234567890", "SHA1", 6, 30)
    ]
