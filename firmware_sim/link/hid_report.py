"""The FIDO HID report descriptor (CTAP 2.1 §11.2.8.1)."""

REPORT_DESCRIPTOR = bytes.fromhex(
    "06d0f1"  # usage page: FIDO alliance
    "0901"  # usage: authenticator
    "a101"  # collection: application
    "0920"  # usage: data of IN reports
    "1500 26ff00"  # logical minimum 0, maximum 255
    "7508 9540"  # 64 times 8 bits
    "8102"  # input: data, variable, absolute
    "0921"  # usage: data of OUT reports
    "1500 26ff00"
    "7508 9540"
    "9102"  # output
    "c0"  # end of collection
)
