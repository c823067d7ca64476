"""What cannot work is said before anything is made: one message that says what to do, and exit code 3."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import boto3
import pytest

from machine.userdata import LIMIT
from tests.aws.command import Command, Said
from tests.aws.world import left
from tests.testbed.aws.catalog import images
from tests.testbed.aws.server import REGION, AwsServer

CREATE = ("create", "-d", "aws", "--timeout", "5", "web")
NO_KEYS = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
OTHER = "222222222222"


@pytest.fixture
def command(tmp_path: Path, aws: AwsServer) -> Command:
    aws.timing.pending = aws.timing.shutting_down = 0.0
    return Command(tmp_path / "store")


def refused(command: Command, aws: AwsServer, *options: str, environ: Mapping[str, str | None] | None = None) -> str:
    """A create that is refused by the check: what it says on its one stream for that."""
    before = left(aws)
    said = command(*CREATE[:-1], *options, "web", code=3, environ=environ or {})
    assert said.out == "", said
    assert one_message(said)
    assert not [call.action for call in aws.calls if not call.action.startswith(("Describe", "Get", "Assume"))]
    assert left(aws) == before
    assert command("ls", "-q", environ=environ or {}).out == ""
    return said.err


def one_message(said: Said) -> bool:
    lines = said.err.splitlines()
    return lines[0].startswith("Error: ") and all(re.match(r"  (cause|next): |         ", line) for line in lines[1:])


def profiles(tmp_path: Path, text: str) -> dict[str, str | None]:
    path = tmp_path / "config"
    path.write_text(text)
    return {**NO_KEYS, "AWS_CONFIG_FILE": str(path)}


def test_without_credentials_it_names_the_ways_to_have_some(command: Command, aws: AwsServer) -> None:
    said = refused(command, aws, environ=NO_KEYS)
    assert "no AWS credentials were found" in said
    assert "aws configure" in said
    assert "AWS_PROFILE" in said


def test_half_of_a_key_is_told_from_none(command: Command, aws: AwsServer) -> None:
    assert "AWS_SECRET_ACCESS_KEY" in refused(command, aws, environ={"AWS_SECRET_ACCESS_KEY": None})


SSO = """
[profile corp]
sso_start_url = https://corp.example/start
sso_region = eu-central-1
sso_account_id = 123456789012
sso_role_name = admin
region = eu-central-1
"""
SESSION = """
[profile corp]
sso_session = work
sso_account_id = 123456789012
sso_role_name = admin
region = eu-central-1
[sso-session work]
sso_start_url = https://corp.example/start
sso_region = eu-central-1
"""


@pytest.mark.parametrize(("config", "key"), [(SSO, "https://corp.example/start"), (SESSION, "work")])
@pytest.mark.parametrize("signed_in", ["long ago", "never"])
def test_a_sign_in_that_has_expired_names_the_command_that_renews_it(
    command: Command, aws: AwsServer, tmp_path: Path, home: Path, config: str, key: str, signed_in: str
) -> None:
    if signed_in == "long ago":
        cache = home / ".aws" / "sso" / "cache"
        cache.mkdir(parents=True)
        token = {
            "startUrl": "https://corp.example/start", "region": "eu-central-1", "accessToken": "canary-token",
            "expiresAt": (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            ),
        }  # fmt: skip
        (cache / f"{hashlib.sha1(key.encode()).hexdigest()}.json").write_text(json.dumps(token))
    said = refused(command, aws, "--aws-profile", "corp", environ=profiles(tmp_path, config))
    assert "aws sso login --profile corp" in said
    assert "canary" not in said
    assert aws.calls == []


def test_a_profile_that_does_not_exist_is_answered_with_the_nearest(
    command: Command, aws: AwsServer, tmp_path: Path
) -> None:
    environ = profiles(tmp_path, "[profile production]\nregion = eu-central-1\n")
    assert "did you mean production?" in refused(command, aws, "--aws-profile", "prodution", environ=environ)


def test_keys_that_aws_does_not_accept_are_told_so(command: Command, aws: AwsServer) -> None:
    aws.fail("GetCallerIdentity", "InvalidClientTokenId", times=None)
    assert "does not accept these credentials" in refused(command, aws)


def test_keys_that_have_expired_are_told_so(command: Command, aws: AwsServer) -> None:
    aws.fail("GetCallerIdentity", "ExpiredToken", times=None)
    assert "have expired" in refused(command, aws)


def test_a_role_that_may_not_be_assumed_is_named(command: Command, aws: AwsServer) -> None:
    aws.fail("AssumeRole", "AccessDenied", times=None)
    role = "arn:aws:iam::123456789012:role/nobody"
    said = refused(command, aws, "--aws-role-arn", role)
    assert role in said
    assert "trust" in said


def test_a_service_that_does_not_answer_is_told_so_and_nothing_is_concluded(command: Command, aws: AwsServer) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        said = refused(command, aws, "--aws-endpoint-url", url)
    assert "did not answer" in said
    assert url in said


ARM = next(each.id for each in images(REGION) if each.architecture == "arm64" and "debian" in each.name)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--aws-region", "eu-centrall-1"), ("no region eu-centrall-1", "did you mean eu-central-1")),
        (("--aws-instance-type", "t3.mikro"), ("no instance type t3.mikro", "did you mean t3.micro")),
        (("--aws-ami", ARM), ("is for arm64", "--aws-instance-type")),
        (("--aws-image", "debain-12"), ("no image 'debain-12'", "did you mean debian-12?")),
        (("--aws-ami", "ami-0123456789abcdef0"), ("no image ami-0123456789abcdef0 in eu-central-1", "--aws-ami")),
        (("--aws-ami", "web"), ("'web' is not an image", "OWNER:PATTERN")),
        (("--aws-ami", "self:web-*"), ("no image self:web-*", "aws ec2 describe-images")),
        (("--aws-zone", "q"), ("no default subnet in the zone eu-central-1q", "--aws-zone")),
        (("--aws-subnet-id", "subnet-0123abcd"), ("no subnet subnet-0123abcd", "aws ec2 describe-subnets")),
        (("--aws-vpc-id", "vpc-0123abcd"), ("no VPC vpc-0123abcd", "aws ec2 describe-vpcs")),
        (("--aws-security-group", "sg-0123abcd"), ("no security group sg-0123abcd", "--aws-security-group")),
        (("--aws-security-group", "default", "--aws-open-port", "80"), ("is not changed", "--aws-security-group")),
        (("--aws-security-group", "default", "--aws-allow-cidr", "203.0.113.7"), ("is not changed", "open the port")),
        (("--aws-keypair-name", "mine"), ("no key pair mine", "--aws-keypair-name")),
        (("--aws-launch-template", "web"), ("no launch template web", "aws ec2 describe-launch-templates")),
        (("--aws-ipv6",), ("has no IPv6 network", "--aws-ipv6")),
        (("--aws-root-size", "2"), ("needs 8 GB", "--aws-root-size 8")),
        (("--aws-userdata", "/nonexistent/file"), ("/nonexistent/file", "No such file")),
    ],
)  # fmt: skip
def test_what_does_not_exist_or_does_not_fit_is_refused_by_the_check(
    command: Command, aws: AwsServer, options: tuple[str, ...], says: tuple[str, ...]
) -> None:
    said = refused(command, aws, *options)
    for text in says:
        assert text in said, said


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"#!/bin/sh\n" + os.urandom(LIMIT).hex().encode(), ("16,384", "#include")),
        (b"echo I am no user data\n", ("cannot be used", "--aws-userdata")),
        (b"#cloud-config\nruncmd: [\n", ("cannot be used", "--aws-userdata")),
    ],
)
def test_user_data_that_cannot_be_used_is_refused_by_the_check(
    command: Command, aws: AwsServer, tmp_path: Path, content: bytes, says: tuple[str, ...]
) -> None:
    (tmp_path / "data").write_bytes(content)
    said = refused(command, aws, "--aws-userdata", str(tmp_path / "data"))
    for text in says:
        assert text in said, said


def _without_default_vpc(aws: AwsServer) -> tuple[str, ...]:
    backend = aws.backend()
    for subnets in list(backend.subnets.values()):
        for each in list(subnets):
            backend.delete_subnet(each)
    return ()


def _vpc_without_subnet(aws: AwsServer) -> tuple[str, ...]:
    return ("--aws-vpc-id", aws.backend().create_vpc("10.9.0.0/16").id)


def _vpc_without_subnet_in_the_zone(aws: AwsServer) -> tuple[str, ...]:
    vpc = aws.backend().create_vpc("10.9.0.0/16")
    aws.backend().create_subnet(vpc.id, "10.9.1.0/24", availability_zone=f"{REGION}a")
    return ("--aws-vpc-id", vpc.id, "--aws-zone", "b")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_without_default_vpc, ("no default VPC", "aws ec2 create-default-vpc", "--aws-subnet-id")),
        (_vpc_without_subnet, ("has no subnet", "aws ec2 create-subnet")),
        (_vpc_without_subnet_in_the_zone, ("has no subnet in the zone eu-central-1b", "aws ec2 create-subnet")),
    ],
)
def test_where_there_is_no_subnet_it_says_what_is_missing(
    command: Command, aws: AwsServer, make: Callable[[AwsServer], tuple[str, ...]], says: tuple[str, ...]
) -> None:
    said = refused(command, aws, *make(aws))
    for text in says:
        assert text in said, said


@pytest.mark.parametrize("options", [(), ("--aws-spot",)])
def test_a_quota_that_is_reached_is_told_and_leaves_nothing_in_the_account(
    command: Command, aws: AwsServer, options: tuple[str, ...]
) -> None:
    aws.quota(vcpus=1, spot_vcpus=1)
    said = command(*CREATE[:-1], *options, "web", code=1)
    assert "Service Quotas" in said.err
    assert "pymachine rm web" in said.err
    assert left(aws) == []
    command("rm", "-y", "web")
    rolled_back = command(*CREATE[:-1], *options, "--on-failure", "rollback", "web", code=1)
    assert "Service Quotas" in rolled_back.err
    assert left(aws) == []
    assert command("ls", "-q").out == ""


def _of_another_account(aws: AwsServer) -> dict[str, str | None]:
    sts = boto3.client("sts", endpoint_url=aws.url, region_name=REGION)
    role = sts.assume_role(RoleArn=f"arn:aws:iam::{OTHER}:role/other", RoleSessionName="other")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": role["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": role["SecretAccessKey"],
        "AWS_SESSION_TOKEN": role["SessionToken"],
    }  # fmt: skip


def test_with_the_credentials_of_another_account_no_machine_is_ever_called_gone(
    command: Command, aws: AwsServer
) -> None:
    assert "connect" in command(*CREATE, code=1).err
    before = left(aws)
    other = _of_another_account(aws)
    (told,) = json.loads(command("ls", "-o", "json", environ=other).out)
    assert told["state"] != "Gone"
    assert OTHER in told["trouble"]
    for arguments in (("rm", "-y", "web"), ("gc", "-y")):
        said = command(*arguments, code=1, environ=other)
        assert OTHER in said.err
        assert "123456789012" in said.err
    assert "Gone" not in command("status", "web", code=0, environ=other).out
    assert left(aws) == before
    assert command("ls", "-q").out == "web\n"
    command("rm", "-y", "web")
    assert left(aws) == []
