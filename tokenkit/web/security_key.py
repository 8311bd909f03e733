"""WebAuthn between the console's script and the verifier, as JSON."""

from collections.abc import Callable

from starlette.responses import Response

from tokenkit.verifier import Ceremony, VerifierError
from tokenkit.web.visit import Visit, said, status_of


def begun(visit: Visit, begin: Callable[[], Ceremony]) -> Response:
    """A ceremony's id, and the options that the browser is to pass on to the key."""
    try:
        ceremony = begin()
    except VerifierError as error:
        return visit.answer({"error": said(error)}, status_of(error))
    return visit.answer({"id": ceremony.id, "options": dict(ceremony.options)["publicKey"]})


def completed(visit: Visit, complete: Callable[[str, object], str]) -> Response:
    """Where the browser goes next; ``complete`` takes the ceremony's id and the key's answer."""
    given = visit.json if isinstance(visit.json, dict) else {}
    ceremony_id, answer = given.get("id"), given.get("answer")
    if not (isinstance(ceremony_id, str) and isinstance(answer, dict)):
        return visit.answer({"error": "The answer of the security key is missing."}, 400)
    try:
        return visit.answer({"go": complete(ceremony_id, answer)})
    except VerifierError as error:
        return visit.answer({"error": said(error)}, status_of(error))
