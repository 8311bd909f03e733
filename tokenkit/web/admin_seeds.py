"""Seed files: uploaded, looked into, and imported when that is confirmed."""

from starlette.datastructures import UploadFile
from starlette.responses import Response
from starlette.routing import Route

from tokenkit.verifier import ValidationError, Verifier, VerifierError
from tokenkit.verifier.seed_file import Place, Seed, SeedFault, preview_seed_file
from tokenkit.web.admin_pages import administrators
from tokenkit.web.admin_pending import PendingImports
from tokenkit.web.pages import counted
from tokenkit.web.visit import Visit, said, status_of

_MOST_SHOWN = 200
_KEY_BYTES = (16, 24, 32)


@administrators("tokenkit:ImportSeeds")
def choose_file(visit: Visit) -> Response:
    return visit.page("admin_seeds.html")


@administrators("tokenkit:ImportSeeds")
def look_into(visit: Visit) -> Response:
    """What an import would do; nothing is imported yet."""
    file = visit.form.get("file")
    name, contents = "the file", b""
    if isinstance(file, UploadFile):
        name, contents = file.filename or name, file.file.read()
    try:
        if not contents:
            raise ValidationError("Choose a seed file that is not empty.")
        key = _pre_shared_key(visit.text("key"))
    except VerifierError as error:
        return visit.page("admin_seeds.html", status_of(error), error=said(error))
    preview = preview_seed_file(contents, key, visit.text("password") or None)
    known = _known_already(visit.verifier, preview.tokens)
    faults = sorted(preview.faults + known, key=_order)
    at_fault = {fault.place for fault in known}
    pending = ""
    if not faults:
        pending = _pending(visit).put(visit.user, name, contents, preview.seeds)
    return visit.page(
        "admin_seeds_preview.html",
        name=name,
        tokens=[each for each in preview.tokens if each[0] not in at_fault],
        faults=faults,
        pending=pending,
        most=_MOST_SHOWN,
    )


def _pending(visit: Visit) -> PendingImports:
    pending: PendingImports = visit.request.app.state.pending_imports
    return pending


def _order(fault: SeedFault) -> tuple[float, float]:
    """As in the file; what is wrong with all of it comes first."""
    place = fault.place or Place(-1)
    return place.line or 0, place.key or 0


def _pre_shared_key(text: str) -> bytes | None:
    digits = "".join(text.split()).replace(":", "")
    if not digits:
        return None
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        raise ValidationError("The pre-shared key is not hexadecimal.") from None
    if len(key) not in _KEY_BYTES:
        raise ValidationError(f"The pre-shared key has 16, 24 or 32 bytes, not {len(key)}.")
    return key


def _known_already(verifier: Verifier, tokens: list[tuple[Place, Seed]]) -> list[SeedFault]:
    known = set(verifier.known_serial_numbers(seed.serial_number for _, seed in tokens))
    return [
        SeedFault(f"serial number {seed.serial_number} is known already", place)
        for place, seed in tokens
        if seed.serial_number in known
    ]


@administrators("tokenkit:ImportSeeds")
def import_file(visit: Visit) -> Response:
    pending = _pending(visit).take(visit.user, visit.text("pending"))
    try:
        if pending is None:
            raise ValidationError("It is too long ago: choose the seed file again.")
        serial_numbers = visit.verifier.add_tokens(list(pending.seeds))
    except VerifierError as error:
        return visit.page("admin_seeds.html", status_of(error), error=said(error))
    count = counted(len(serial_numbers), "token")
    return visit.go("admin/seeds", f"{count} imported from {pending.name}.")


SEED_ROUTES = [
    Route("/admin/seeds", choose_file),
    Route("/admin/seeds", look_into, methods=["POST"]),
    Route("/admin/seeds/import", import_file, methods=["POST"]),
]
