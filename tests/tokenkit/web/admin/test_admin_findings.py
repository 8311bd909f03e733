"""What is amiss, on the pages for administrators."""

import re
from html import unescape
from typing import Any


def test_findings_say_whose_and_which(bench: Any) -> None:
    token = bench.enabled_token("ann")
    bench.clock.advance(400 * 86_400)
    page = bench.visitor("root").get("admin/devices")
    [_, found] = page.split('<ul class="findings">')
    said = [
        " ".join(unescape(re.sub("<[^>]+>", "", each)).split())
        for each in re.findall("<li>(.*?)</li>", found.partition("</ul>")[0], re.DOTALL)
    ]
    of_ann = f"ann, ann-token {token.serial_number} "
    drifting, stale, none = said
    assert drifting.startswith(of_ann + "Its next code may be refused: its clock is ")
    assert stale.startswith(of_ann + "It was neither used nor resynchronised for 400 days.")
    assert none.startswith("root has no MFA device. Assign one")
    assert 'href="/console/admin/users/ann">ann</a>' in found
