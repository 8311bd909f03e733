"""One request to the console: who asks, what was typed, and the page or redirect that answers."""

import hashlib
import hmac
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property, wraps
from typing import Any
from urllib.parse import quote, urlencode

from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from tokenkit.iam.authorisation import authorise
from tokenkit.iam.principal import Principal, console_principal
from tokenkit.service import Service
from tokenkit.verifier import (
    AccessDenied,
    Locked,
    NoSuchEntity,
    StoreError,
    Throttled,
    Verifier,
    VerifierError,
)
from tokenkit.verifier.console_sessions import ENROL, PASSWORD, SIGNED_IN
from tokenkit.web.pages import render

COOKIE = "tokenkit_console"
# where somebody goes on who is so far
START_PAGE = {
    None: "sign-in",
    PASSWORD: "sign-in/mfa",
    ENROL: "assign",
    SIGNED_IN: "security-credentials",
}
_log = logging.getLogger(__name__)
_MOST_FIELDS = 100
_SEE_OTHER = 303


class Visit:
    """What a handler works on. Handlers run in a thread: the verifier may block."""

    def __init__(
        self, request: Request, form: FormData, json: Any = None, *, is_use: bool = True
    ) -> None:
        self.request = request
        self.form = form
        self.json = json
        self.service: Service = request.app.state.service
        self.verifier: Verifier = self.service.verifier
        self.cookie: str = request.cookies.get(COOKIE, "")
        self.session = None
        if self.cookie:
            self.session = self.verifier.console_session(self.cookie, prolong=is_use)

    @property
    def stage(self) -> str | None:
        """PASSWORD, ENROL or SIGNED_IN; None for a stranger."""
        return None if self.session is None else self.session.stage

    @property
    def user(self) -> str:
        """The name of who has a session."""
        assert self.session is not None
        user: str = self.session.user
        return user

    def text(self, name: str) -> str:
        """What was typed into a field; "" if nothing or no text."""
        value = self.form.get(name)
        return value if isinstance(value, str) else ""

    def query(self, name: str) -> str:
        """Of the address's query; "" if it is not there."""
        return self.request.query_params.get(name, "")

    def path(self, name: str) -> str:
        """Of the address's path."""
        value: str = self.request.path_params[name]
        return value

    def may(self, action: str, resource: str = "*") -> bool:
        """Whether the visitor may do what ``action`` (such as "iam:ListUsers") names.

        A console session counts as temporary credentials, with MFA if a device was shown.
        """
        if self.stage != SIGNED_IN:
            return False
        client = self.request.client
        more = {} if client is None else {"aws:SourceIp": client.host}
        return authorise(self.service, self._principal, action, resource, more).allowed

    def demand(self, action: str, resource: str = "*") -> None:
        """AccessDenied unless the visitor may do ``action``."""
        if not self.may(action, resource):
            raise AccessDenied(f"You are not authorized to perform {action} on {resource}.")

    def demand_own(self, action: str, resource: str | None = None) -> None:
        """The same of what is the visitor's own, as the user is; who must assign a device before
        anything else may do that.
        """
        if self.stage != ENROL:
            self.demand(action, resource or self._principal.arn)

    @cached_property
    def _principal(self) -> Principal:
        assert self.session is not None
        state, user = self.session.state, self.verifier.user(self.user)
        principal = console_principal(user, state["signed_in_s"], state.get("mfa_s"))
        policies = tuple(self.verifier.user_policies(user.name).values())
        return replace(principal, policies=policies)

    def url(self, path: str = "", **query: str) -> str:
        """The address of a page of the console."""
        address = f"{self.request.scope.get('root_path', '')}/{quote(path)}"
        return f"{address}?{urlencode(query)}" if query else address

    def page(
        self,
        template: str,
        status: int = 200,
        *,
        form: Mapping[str, str] | None = None,
        **context: Any,
    ) -> Response:
        """A page; ``form`` is what was typed into its fields before.

        ``error`` in its context is said at its top, as is the message of a redirect to it.
        """
        message = ""
        if self.session is not None and self.session.state.get("message"):
            message = self.session.state["message"]
            self.put_state(message="")
        if not self.cookie:
            self.cookie = self.request.app.state.new_cookie()
        text = render(
            template,
            form or {},
            **{
                "error": None,
                "message": message,
                "user_name": None if self.session is None else self.session.user,
                "stage": self.stage,
                "may": self.may,
                "url": self.url,
                "csrf_token": csrf_token(self.cookie),
                "current": self.request.scope["path"].rstrip("/"),
            }
            | context,
        )
        return self.with_cookie(HTMLResponse(text, status))

    def go(self, path: str, message: str = "", **query: str) -> Response:
        """Redirect to a page of the console, which says ``message``."""
        if message and self.session is not None:
            self.put_state(message=message)
        return self.with_cookie(RedirectResponse(self.url(path, **query), _SEE_OTHER))

    def answer(self, value: object, status: int = 200) -> Response:
        """JSON, for the console's own scripts."""
        return self.with_cookie(JSONResponse(value, status))

    def begin_session(self, user: str, *, mfa: bool, **state: object) -> None:
        """A new session under a new id, in the place of the one before.

        AccessDenied if that was ended meanwhile, say by a new password.
        """
        before = None
        if self.session is not None:
            if self.session.user == user:
                before = self.session.token
            else:
                self.verifier.end_console_session(self.session.token)
        session = self.verifier.begin_console_session(user, state, mfa=mfa, after=before)
        self.session, self.cookie = session, session.token

    def end_session(self) -> None:
        if self.session is not None:
            self.verifier.end_console_session(self.session.token)
        self.session = None
        self.cookie = self.request.app.state.new_cookie()

    def put_state(self, **changes: object) -> None:
        """Change members of the session's state."""
        assert self.session is not None
        state = {**self.session.state, **changes}
        self.verifier.put_console_state(self.session.token, state)
        self.session = replace(self.session, state=state)

    def demand_csrf(self) -> None:
        """HTTPException 403 unless the form, or script, is of a page of this session."""
        given = self.text("csrf") or self.request.headers.get("x-csrf-token", "")
        expected = csrf_token(self.cookie)
        if not self.cookie or not hmac.compare_digest(given.encode(), expected.encode()):
            raise HTTPException(403, "This form is too old: go back, load the page anew, repeat.")

    def with_cookie(self, response: Response) -> Response:
        if self.cookie != self.request.cookies.get(COOKIE):
            response.set_cookie(
                COOKIE,
                self.cookie,
                path=self.request.scope.get("root_path", "") or "/",
                secure=self.verifier.webauthn.origin.startswith("https:"),
                httponly=True,
                samesite="strict",
            )
        return response


def csrf_token(cookie: str) -> str:
    """What forms carry: made of the cookie, which another site can neither read nor set."""
    return hmac.digest(cookie.encode(), b"csrf", hashlib.sha256).hex()


Handler = Callable[[Visit], Response]


def visited(
    handler: Handler, stages: Iterable[str | None] = (SIGNED_IN,), *, is_use: bool = True
) -> Callable[[Request], Any]:
    """An endpoint of Starlette's for ``handler``, open to who is at one of ``stages``.

    Others are sent to where they can go on. What changes something is POST and has the CSRF token.
    It keeps a session alive if ``is_use``: what scripts fetch by themselves does not.
    """
    allowed = frozenset(stages)

    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        form, json = FormData(), None
        if request.method == "POST":
            if request.headers.get("content-type", "").startswith("application/json"):
                json = await _json(request)
            else:
                _demand_utf8(request)
                form = await request.form(max_fields=_MOST_FIELDS, max_files=1)
        try:
            return await run_in_threadpool(answer, request, form, json)
        finally:
            await form.close()

    def answer(request: Request, form: FormData, json: Any) -> Response:
        visit = Visit(request, form, json, is_use=is_use)
        if request.method == "POST":
            visit.demand_csrf()
        if visit.stage not in allowed:
            return _send_on(visit, wants_json=json is not None)
        try:
            return handler(visit)
        except VerifierError as error:  # what the handler did not say at its form
            if json is not None:
                return visit.answer({"error": said(error)}, status_of(error))
            return visit.page("error.html", status_of(error), error=said(error))

    return endpoint


_STATUS_OF_ERROR: tuple[tuple[type[VerifierError], int], ...] = (
    (NoSuchEntity, 404),
    (Throttled, 429),
    (Locked, 403),
    (AccessDenied, 403),
    (StoreError, 503),
)


def status_of(error: VerifierError) -> int:
    """HTTP's status code for a refusal."""
    return next((status for kind, status in _STATUS_OF_ERROR if isinstance(error, kind)), 400)


def said(error: VerifierError) -> str:
    """What a visitor is told. What a database says of itself is for whoever runs it."""
    if isinstance(error, StoreError):
        _log.error("%s", error)
        return error.message
    return str(error)


def _send_on(visit: Visit, *, wants_json: bool) -> Response:
    path = START_PAGE[visit.stage]
    if wants_json:
        return visit.answer(
            {"error": "You are not signed in any more.", "go": visit.url(path)}, 403
        )
    return visit.go(path)


def _demand_utf8(request: Request) -> None:
    """HTTPException 400 for a form in another charset, by what Starlette decodes it by.

    What Python knows as one may raise all kinds of errors, or make text that nothing can encode.
    """
    _, options = parse_options_header(request.headers.get("content-type"))
    charset = options.get(b"charset", b"utf-8")
    if charset.lower() != b"utf-8":
        raise HTTPException(400, "Forms are in UTF-8.")


async def _json(request: Request) -> Any:
    try:
        return await request.json()
    except (ValueError, RecursionError):
        raise HTTPException(400, "The request is not JSON.") from None
