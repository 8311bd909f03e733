"""Framing between a port and an authenticator: it knows packets and channels, not CBOR."""
