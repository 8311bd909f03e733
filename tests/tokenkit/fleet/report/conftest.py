from typing import Any

import pytest

from tokenkit.fleet.report.html import html_report
from tokenkit.fleet.result import StudyResult

from .made import study_result


@pytest.fixture(scope="session")
def result() -> StudyResult:
    """Four policies, three batches."""
    return study_result()


@pytest.fixture(scope="session")
def text(result: StudyResult) -> str:
    return html_report(result)


@pytest.fixture(scope="session")
def page(text: str, read_page: Any) -> Any:
    """See tests/tokenkit/page.py."""
    return read_page(text)
