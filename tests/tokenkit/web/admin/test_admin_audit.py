"""The log on the pages for administrators."""

import json
import re
from typing import Any

import pytest

from tokenkit.verifier import AccessDenied


def rows(page: str) -> list[str]:
    return re.findall(r"<td>[-0-9]{10} [:0-9]{8}</td>\s*<td>([-a-z]+)", page)


class TestLog:
    def test_newest_first_and_paged(self, bench: Any) -> None:
        for number in range(60):
            bench.verifier.create_user(f"user{number}")
        bench.verifier.delete_user("user0")
        first = bench.root.get("admin/audit")
        assert rows(first)[0] == "delete-user"
        assert len(rows(first)) == 50
        [older] = re.findall(r'href="/console/admin/audit\?before=(\d+)"', first)
        second = bench.root.get("admin/audit", before=older)
        assert len(rows(second)) == len(bench.verifier.audit()) - 50
        assert "Older" not in second
        assert "Newest" in second

    def test_filters(self, bench: Any) -> None:
        bench.verifier.create_user("carl")
        with pytest.raises(AccessDenied):
            bench.verifier.check_password("carl", "wrong")
        token = bench.enabled_token("carl")
        assert rows(bench.root.get("admin/audit", user="carl", outcome="refused")) == ["password"]
        assert rows(bench.root.get("admin/audit", event="enable")) == ["enable"]
        assert rows(bench.root.get("admin/audit", serial=token.serial_number)) == ["enable"]
        accepted = bench.root.get("admin/audit", user="carl", outcome="accepted")
        assert rows(accepted) == ["enable", "create-user"]
        assert '<option value="accepted" selected>' in accepted
        assert "No line of the log" in bench.root.get("admin/audit", user="nobody")

    def test_filters_stay_when_one_pages(self, bench: Any) -> None:
        for number in range(60):
            bench.verifier.create_user(f"user{number}")
        page = bench.root.get("admin/audit", event="create-user")
        assert re.search(r'href="/console/admin/audit\?before=\d+&amp;event=create-user"', page)

    @pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "٣"])
    def test_a_page_that_is_none(self, bench: Any, before: str) -> None:
        bench.verifier.create_user("carl")
        assert rows(bench.root.get("admin/audit", before=before))[0] == "create-user"

    def test_no_number_is_minus_nought(self, bench: Any) -> None:
        from tokenkit.web.admin_text import plain_text

        assert [plain_text(each) for each in (-0.0, 0.0, -13.5, -1e-3, 0, "-0")] == [
            "0",
            "0",
            "-13.5",
            "-0.001",
            "0",
            "-0",
        ]


class TestExport:
    def test_json_lines_without_secrets(self, bench: Any) -> None:
        bench.verifier.create_user("carl")
        bench.verifier.set_password("carl", "correct horse")
        bench.root.get("admin/audit.jsonl")
        answer = bench.root.answer
        assert answer.headers["content-type"] == "application/jsonl"
        assert answer.headers["content-disposition"] == 'attachment; filename="audit.jsonl"'
        events = [json.loads(line)["event"] for line in answer.text.splitlines()]
        assert events[-2:] == ["create-user", "set-password"]
        assert len(events) == len(bench.verifier.audit())
        assert "horse" not in answer.text

    def test_not_for_everybody(self, bench: Any) -> None:
        bench.visitor("ann", "iam:ListUsers").get("admin/audit.jsonl", 403)
