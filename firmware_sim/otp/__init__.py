"""The TOTP and HOTP hardware token: what is in its case, and the factory that makes it."""
