"""The CTAP2 authenticator: one file a command, no I/O."""
