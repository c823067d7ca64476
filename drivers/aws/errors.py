"""What boto3 raises, as ours: in one place, with what to do about it."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterator

from botocore import exceptions as boto
from botocore.exceptions import ClientError

from machine.errors import DriverError, InstanceGone, PreCheckFailed, PymachineError

# The service did not say that it did nothing: whether there was an effect has to be looked up.
UNKNOWN_OUTCOME = (boto.ConnectionError, boto.HTTPClientError)

THROTTLED = frozenset(
    {"RequestLimitExceeded", "Throttling", "ThrottlingException", "EC2ThrottledException", "TooManyRequestsException"}
)
# The service is in trouble: whether there was an effect is not said either.
TROUBLED = frozenset({"InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable"})
# Another market, zone or type may have what this one has not.
NO_CAPACITY = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientReservedInstanceCapacity",
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
        "Unsupported",
    }
)
NOT_FOUND = frozenset(
    {
        "InvalidInstanceID.NotFound",
        "InvalidInstanceID.Malformed",
        "InvalidGroup.NotFound",
        "InvalidGroupId.Malformed",
        "InvalidAllocationID.NotFound",
        "InvalidAddress.NotFound",
        "InvalidAMIID.NotFound",
        "InvalidAMIID.Unavailable",
        "InvalidSnapshot.NotFound",
        "InvalidVolume.NotFound",
    }
)
_REFUSED_KEY = frozenset(
    {
        "AuthFailure",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
    }
)
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
FORBIDDEN = frozenset({"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"})
_LOGIN = "aws sso login"
_HINTS = {
    "VcpuLimitExceeded": "ask for more vCPUs in Service Quotas, or choose a smaller --aws-instance-type",
    "InstanceLimitExceeded": "ask for more in Service Quotas, or remove instances that are not needed",
    "AddressLimitExceeded": "release an Elastic IP, ask for more in Service Quotas, or leave out --aws-elastic-ip",
    "SecurityGroupLimitExceeded": "use a group of yours with --aws-security-group, or ask for more in Service Quotas",
    "InsufficientInstanceCapacity": "try another --aws-zone or --aws-instance-type, or later",
    "SpotMaxPriceTooLow": "raise --aws-spot-price, or add --aws-spot-fallback",
    "MaxSpotInstanceCountExceeded": "ask for more spot vCPUs in Service Quotas, or add --aws-spot-fallback",
    "Unsupported": "try another --aws-zone or --aws-instance-type",
    "InvalidKeyPair.NotFound": "see what there is: aws ec2 describe-key-pairs; or leave out --aws-keypair-name",
    "InvalidParameterValue": "see what each option may be: pymachine create -d aws --help",
    "UnsupportedOperation": "a spot instance asked for once cannot be stopped; to remove it: pymachine rm NAME",
    "OptInRequired": "accept the image's terms in the AWS Marketplace, or choose another image",
    "PendingVerification": "AWS verifies the account for this region, up to four hours; try again then",
}


def code_of(error: BaseException) -> str:
    """The service's own code of an error; empty where it is not the service's."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def refused(error: BaseException | None) -> bool:
    """Whether the service has said that it did nothing: not a lost reply, and not trouble of its own."""
    return isinstance(error, ClientError) and code_of(error) not in TROUBLED


def hint_of(code: str) -> str | None:
    """What to do about a refusal."""
    return _HINTS.get(code)


def message_of(error: BaseException) -> str:
    """What the service said, one line."""
    text = error.response.get("Error", {}).get("Message", "") if isinstance(error, ClientError) else str(error)
    return " ".join(str(text).split())


@contextlib.contextmanager
def mapped(
    doing: str, *, pre_check: bool = False, profile: str | None = None, region: str | None = None
) -> Iterator[None]:
    """Let an error of boto3's leave as one of ours.

    Args:
        doing: what was not done, after "did not": ``start the instance i-1``.
        pre_check: nothing has been made yet.
        profile, region: whose credentials were used and where, for hints.
    """
    try:
        yield
    except PymachineError:
        raise
    except (ClientError, boto.BotoCoreError) as error:
        raise as_ours(error, doing, pre_check=pre_check, profile=profile, region=region) from error


def as_ours(
    error: ClientError | boto.BotoCoreError,
    doing: str,
    *,
    pre_check: bool = False,
    profile: str | None = None,
    region: str | None = None,
) -> PymachineError:
    """An error of boto3's as one of ours; see `mapped`."""
    kind = PreCheckFailed if pre_check else DriverError
    code, said = code_of(error), message_of(error)
    trouble = _credentials(error, code, profile)
    if trouble is not None:
        message, hint = trouble
        return kind(message, cause=said, hint=hint)
    if code in NOT_FOUND and code.startswith("InvalidInstanceID"):
        return InstanceGone("the instance is gone", cause=said, hint="pymachine rm NAME")
    if code in FORBIDDEN and getattr(error, "operation_name", "") == "AssumeRole":
        role = doing if doing.startswith("assume") else "assume a role"
        hint = "look at the role's trust policy, and for sts:AssumeRole in what these credentials may do"
        return kind(f"AWS does not let these credentials {role}", cause=said, hint=hint)
    if code in FORBIDDEN:
        return kind(
            f"AWS does not let these credentials {doing}",
            cause=said,
            hint="see which permissions are missing: pymachine drivers check aws; what is needed: docs/aws-iam.md",
        )
    if code in THROTTLED:
        return kind(f"AWS did not {doing}: too many requests", cause=said, hint="try again in a minute")
    if isinstance(error, UNKNOWN_OUTCOME):
        return kind(f"AWS did not answer when asked to {doing}", cause=said, hint="look at the network, then try again")
    next_ = _protected(said, region) if code == "OperationNotPermitted" else _HINTS.get(code)
    return kind(f"AWS did not {doing}", cause=f"{code}: {said}" if code else said, hint=next_)


def _protected(said: str, region: str | None) -> str:
    """How the protection is taken off that EC2 has spoken of: against being stopped, or terminated."""
    what = "stop" if "disableapistop" in said.lower() else "termination"
    instance = re.search(r"i-[0-9a-f]+", said)
    command = "aws ec2 modify-instance-attribute" + (f" --region {region}" if region else "")
    found = instance[0] if instance else "ID"
    return f"it is protected; to take that off: {command} --instance-id {found} --no-disable-api-{what}"


def _credentials(error: BaseException, code: str, profile: str | None) -> tuple[str, str] | None:
    """What is wrong with the credentials, and what to do; None: it is something else."""
    login = f"{_LOGIN} --profile {profile}" if profile else _LOGIN
    if isinstance(error, boto.ProfileNotFound):
        return _no_profile(str(error.kwargs.get("profile", "")))
    if isinstance(error, (boto.UnauthorizedSSOTokenError, boto.SSOTokenLoadError, boto.TokenRetrievalError)):
        return "the sign-in to AWS (SSO) has expired, or was never made", login
    if isinstance(error, (boto.NoCredentialsError, boto.CredentialRetrievalError, boto.PartialCredentialsError)):
        return (
            "no AWS credentials were found",
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; or: aws configure; or: aws sso login",
        )
    if code in _EXPIRED:
        return "the AWS credentials have expired", f"get new ones: {login}, or whatever gave you these"
    if code in _REFUSED_KEY:
        return "AWS does not accept these credentials", "look at them: aws sts get-caller-identity"
    return None


def _no_profile(name: str) -> tuple[str, str]:
    import botocore.session

    known = botocore.session.Session().available_profiles
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known) or 'none'}"
    return f"there is no AWS profile {name!r}", hint
