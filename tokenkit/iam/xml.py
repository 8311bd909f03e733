"""The query protocol's answers: XML by an operation's output shape."""

import base64
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

import regex
from botocore.model import OperationModel

from tokenkit.iam.api import Api
from tokenkit.iam.errors import AwsError, status_of
from tokenkit.iam.moments import iso

# what XML 1.0 section 2.2 has no way to write
_UNWRITABLE = regex.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def response(
    api: Api, operation: OperationModel, result: Mapping[str, Any], request_id: str
) -> str:
    """``result`` has the members of the operation's output shape; times are seconds since 1970."""
    name = operation.name
    shape = operation.output_shape
    inner = ""
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", f"{name}Result")
        inner = f"<{wrapper}>{_structure(shape, result)}</{wrapper}>"
    return (
        f'<{name}Response xmlns="{api.namespace}">{inner}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        f"</{name}Response>"
    )


def error_response(api: Api, error: AwsError, request_id: str) -> str:
    kind = "Receiver" if status_of(error.code, api) >= 500 else "Sender"
    return (
        f'<ErrorResponse xmlns="{api.namespace}"><Error><Type>{kind}</Type>'
        f"<Code>{_text(error.code)}</Code><Message>{_text(error.message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def _structure(shape: Any, value: Mapping[str, Any]) -> str:
    assert value.keys() <= shape.members.keys(), value.keys() - shape.members.keys()
    return "".join(
        f"<{name}>{_value(member, value[name])}</{name}>"
        for name, member in shape.members.items()
        if value.get(name) is not None
    )


def _value(shape: Any, value: Any) -> str:
    kind = shape.type_name
    if kind == "string":
        return _text(value)
    if kind == "timestamp":
        return iso(value)
    if kind == "structure":
        return _structure(shape, value)
    if kind == "list":
        return "".join(f"<member>{_value(shape.member, each)}</member>" for each in value)
    if kind == "map":
        return "".join(
            f"<entry><key>{_text(key)}</key><value>{_value(shape.value, each)}</value></entry>"
            for key, each in value.items()
        )
    if kind == "blob":
        return base64.b64encode(value).decode()
    if kind == "boolean":
        return "true" if value else "false"
    return str(int(value))


def _text(text: str) -> str:
    return escape(_UNWRITABLE.sub("\ufffd", text))
