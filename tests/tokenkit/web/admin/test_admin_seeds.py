"""Seed files on the pages for administrators: looked into first, imported when confirmed."""

import re
from pathlib import Path
from typing import Any

import pytest

from tokenkit.virtual import World, csv_file, write_pskc

TOKENS = World(seed=9).make_batch("BATCH", 3).tokens
CSV = csv_file(TOKENS)


def look(bench: Any, contents: bytes, key: str = "", status: int = 200, password: str = "") -> str:
    file = ("tokens <1>.csv", contents)
    page: str = bench.root.post(
        "admin/seeds", status, files={"file": file}, key=key, password=password
    )
    return page


def pending(page: str) -> str:
    [found] = re.findall(r'name="pending" value="([0-9a-f]+)"', page)
    return str(found)


class TestPreview:
    def test_shows_the_tokens_and_imports_none(self, bench: Any) -> None:
        page = look(bench, CSV)
        assert "Import 3 tokens" in page
        for token in TOKENS:
            assert token.serial_number in page
        assert "tokens &lt;1&gt;.csv" in page
        serial_numbers = [token.serial_number for token in TOKENS]
        assert bench.verifier.known_serial_numbers(serial_numbers) == []

    def test_no_secret_is_in_the_page(self, bench: Any) -> None:
        page = look(bench, CSV)
        secrets = re.findall(rb"[A-Z2-7]{32}", CSV)
        assert len(secrets) == 3
        assert not any(secret.decode() in page for secret in secrets)

    def test_all_faults_by_line_and_no_button(self, bench: Any) -> None:
        text = CSV.decode().replace(TOKENS[0].serial_number, "short")
        page = look(bench, (text + "x\n").encode())
        assert bench.alerts(page)[0].startswith("2 faults: nothing can be imported.")
        assert re.findall(r"<td>(line \d)</td><td class=.text.>", page)[:2] == ["line 2", "line 5"]
        assert "Import 3" not in page

    def test_tokens_that_are_known_already_are_faults(self, bench: Any) -> None:
        bench.root.post("admin/seeds/import", pending=pending(look(bench, CSV)))
        page = look(bench, CSV)
        assert page.count("is known already") == 3

    def test_an_encrypted_file(self, bench: Any, tmp_path: Path) -> None:
        path = tmp_path / "seeds.xml"
        write_pskc(TOKENS, path, bytes(range(16)))
        contents = path.read_bytes()
        assert "give the pre-shared key" in look(bench, contents)
        assert "wrong pre-shared key" in look(bench, contents, "00" * 16)
        spaced = bytes(range(16)).hex(":")
        assert "Import 3 tokens" in look(bench, contents, spaced)

    def test_a_file_under_a_password(self, bench: Any, tmp_path: Path) -> None:
        path = tmp_path / "seeds.xml"
        write_pskc(TOKENS, path, password="open sesame")
        contents = path.read_bytes()
        assert "give the password" in look(bench, contents)
        assert "wrong password" in look(bench, contents, password="wrong")
        assert "Import 3 tokens" in look(bench, contents, password="open sesame")

    @pytest.mark.parametrize(
        ("key", "message"), [("xy", "not hexadecimal"), ("00", "16, 24 or 32 bytes, not 1")]
    )
    def test_a_key_that_is_none(self, bench: Any, key: str, message: str) -> None:
        assert message in bench.alerts(look(bench, CSV, key, 400))[0]

    def test_no_file(self, bench: Any) -> None:
        assert "Choose a seed file" in bench.alerts(look(bench, b"", status=400))[0]
        assert "Choose a seed file" in bench.root.post("admin/seeds", 400, file="text")


class TestImport:
    def test_what_was_confirmed(self, bench: Any) -> None:
        page = bench.root.post("admin/seeds/import", pending=pending(look(bench, CSV)))
        assert bench.statuses(page) == ["3 tokens imported from tokens <1>.csv."]
        serial_numbers = [token.serial_number for token in TOKENS]
        assert bench.verifier.known_serial_numbers(serial_numbers) == serial_numbers

    def test_only_once(self, bench: Any) -> None:
        key = pending(look(bench, CSV))
        bench.root.post("admin/seeds/import", pending=key)
        page = bench.root.post("admin/seeds/import", 400, pending=key)
        assert bench.alerts(page) == ["It is too long ago: choose the seed file again."]

    def test_not_another_administrators(self, bench: Any) -> None:
        key = pending(look(bench, CSV))
        ann = bench.visitor("ann", "tokenkit:ImportSeeds")
        ann.post("admin/seeds/import", 400, pending=key)
        serial_numbers = [token.serial_number for token in TOKENS]
        assert bench.verifier.known_serial_numbers(serial_numbers) == []

    def test_all_or_none_if_one_became_known_meanwhile(self, bench: Any) -> None:
        one = csv_file(TOKENS[:1])
        all_three, first = pending(look(bench, CSV)), pending(look(bench, one))
        bench.root.post("admin/seeds/import", pending=first)
        page = bench.root.post("admin/seeds/import", 400, pending=all_three)
        assert "Nothing was imported" in bench.alerts(page)[0]
        serial_numbers = [token.serial_number for token in TOKENS]
        assert bench.verifier.known_serial_numbers(serial_numbers) == serial_numbers[:1]
