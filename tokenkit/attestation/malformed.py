"""What bytes from outside make python-fido2 and cryptography raise."""

import struct

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning

# beside ValueError, errors of struct, of assertions, of recursion and of X.509
MALFORMED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    InvalidSignature,
    UnsupportedAlgorithm,
    struct.error,
    CryptographyDeprecationWarning,  # of bad encodings, where warnings are errors
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
