"""The audit log, for administrators."""

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tokenkit.web.admin_pages import administrators
from tokenkit.web.visit import Visit

_OUTCOMES = {"accepted": False, "refused": True}


@administrators("tokenkit:ReadAuditLog")
def show_log(visit: Visit) -> Response:
    user, serial_number = visit.query("user") or None, visit.query("serial") or None
    event = visit.query("event").removesuffix("-refused") or None
    refused, before = _OUTCOMES.get(visit.query("outcome")), _number(visit.query("before"))
    page = visit.verifier.audit_page(
        user=user, serial_number=serial_number, event=event, refused=refused, before=before
    )
    filters = {name: visit.query(name) for name in ("user", "serial", "event", "outcome")}
    return visit.page(
        "admin_audit.html",
        page=page,
        before=before,
        filters=filters,
        query={name: value for name, value in filters.items() if value},
        events=sorted({line.event.removesuffix("-refused") for line in page.lines}),
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


@administrators("tokenkit:ReadAuditLog")
def export_log(visit: Visit) -> Response:
    return StreamingResponse(
        visit.verifier.export_audit(),
        media_type="application/jsonl",
        headers={"content-disposition": 'attachment; filename="audit.jsonl"'},
    )


AUDIT_ROUTES = [
    Route("/admin/audit", show_log),
    Route("/admin/audit.jsonl", export_log),
]
