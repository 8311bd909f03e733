"""The HID report descriptor of every FIDO device (CTAP 2.1 §11.2.8.2)."""

# A usage page of 0xF1D0 is what hosts know a FIDO device by; there are no report ids.
REPORT_DESCRIPTOR = bytes.fromhex(
    "06d0f1"  # usage page: FIDO alliance
    "0901"  # usage: U2F authenticator device
    "a101"  # collection: application
    "0920"  # usage: data in, to the host
    "1500 26ff00 7508 9540 8102"  # 64 fields of 8 bits, 0 to 255: input
    "0921"  # usage: data out, from the host
    "1500 26ff00 7508 9540 9102"  # 64 fields of 8 bits, 0 to 255: output
    "c0"  # end of collection
)
