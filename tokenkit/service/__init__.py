"""The verifier as a service: AWS's IAM and STS, a console for browsers, and a control API.

The surfaces share one :class:`~tokenkit.service.service.Service`; each is an ASGI application.
"""

from tokenkit.service.service import Service

__all__ = ["Service"]
