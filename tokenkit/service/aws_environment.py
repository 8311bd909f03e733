"""What AWS's programs read from the environment to use a service."""

from tokenkit.verifier import AccessKey

REGION = "us-east-1"
# other credentials, which would be taken with those of the service or in their place
OTHER_CREDENTIALS = (
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
)


def aws_environment(url: str, key: AccessKey) -> dict[str, str]:
    """The service at ``url``, with ``key``."""
    return {
        "AWS_ENDPOINT_URL_IAM": url,
        "AWS_ENDPOINT_URL_STS": url,
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_DEFAULT_REGION": REGION,
    }
