"""The console: pages for browsers, rendered by the server, under WebAuthn's and IAM's rules."""
