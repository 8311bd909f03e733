"""A smart card by ISO 7816-4: command APDUs in, response APDUs out, no I/O."""
