"""The service models that botocore brings: operations, their shapes, their errors."""

from dataclasses import dataclass
from functools import cache

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

# signing name: botocore's name of the model, which are the same for these two
SERVICES = ("iam", "sts")


@dataclass(frozen=True)
class Api:
    """One service: ``version`` as requests name it, ``namespace`` of the answers' XML."""

    name: str
    version: str
    namespace: str
    operations: dict[str, OperationModel]
    error_status: dict[str, int]


@cache
def load_api(name: str) -> Api:
    """The API of "iam" or "sts"."""
    model = ServiceModel(Loader().load_service_model(name, "service-2"), name)
    operations = {each: model.operation_model(each) for each in model.operation_names}
    errors = [shape.metadata["error"] for shape in model.error_shapes if "error" in shape.metadata]
    return Api(
        name=name,
        version=model.api_version,
        namespace=model.metadata["xmlNamespace"],
        operations=operations,
        error_status={each["code"]: each["httpStatusCode"] for each in errors},
    )
