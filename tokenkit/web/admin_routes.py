"""The routes of the pages for administrators, and of virtual tokens."""

from tokenkit.web.admin_audit import AUDIT_ROUTES
from tokenkit.web.admin_seeds import SEED_ROUTES
from tokenkit.web.admin_users import USER_ROUTES
from tokenkit.web.virtual_token import TOKEN_ROUTES

ADMIN_ROUTES = [*USER_ROUTES, *SEED_ROUTES, *AUDIT_ROUTES, *TOKEN_ROUTES]
