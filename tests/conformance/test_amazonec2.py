"""``-d amazonec2``: each flag and variable that docker-machine's driver had is accepted, and means what it meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from machine.cli import command_line as run
from machine.compat import names
from machine.driver import declared_options
from machine.drivers.aws import AwsDriver
from machine.drivers.aws.options import AwsOptions

# drivers/amazonec2/amazonec2.go of v0.16.2: the flag, its variable, a value, and what of our options that is.
# None: it has nothing left to do.
FLAGS: dict[str, tuple[str, str | bool, tuple[str, Any] | None]] = {
    "access-key": ("AWS_ACCESS_KEY_ID", "AKIA1", ("access_key", "AKIA1")),
    "secret-key": ("AWS_SECRET_ACCESS_KEY", "canary-2711", ("secret_key", "canary-2711")),
    "session-token": ("AWS_SESSION_TOKEN", "canary-2712", ("session_token", "canary-2712")),
    "ami": ("AWS_AMI", "ami-0abc", ("ami", "ami-0abc")),
    "region": ("AWS_DEFAULT_REGION", "eu-west-1", ("region", "eu-west-1")),
    "vpc-id": ("AWS_VPC_ID", "vpc-0abc", ("vpc_id", "vpc-0abc")),
    "zone": ("AWS_ZONE", "b", ("zone", "b")),
    "subnet-id": ("AWS_SUBNET_ID", "subnet-0abc", ("subnet_id", "subnet-0abc")),
    "security-group-readonly": ("AWS_SECURITY_GROUP_READONLY", True, None),
    "security-group": ("AWS_SECURITY_GROUP", "mine", ("security_group", ("mine",))),
    "open-port": ("", "8080/udp", ("open_port", ("8080/udp",))),
    "tags": ("AWS_TAGS", "a,1,b,2", ("tags", "a,1,b,2")),
    "instance-type": ("AWS_INSTANCE_TYPE", "t2.nano", ("instance_type", "t2.nano")),
    "device-name": ("AWS_DEVICE_NAME", "/dev/sda1", ("device_name", "/dev/sda1")),
    "root-size": ("AWS_ROOT_SIZE", "20", ("root_size", 20)),
    "volume-type": ("AWS_VOLUME_TYPE", "gp2", ("volume_type", "gp2")),
    "iam-instance-profile": ("AWS_INSTANCE_PROFILE", "builder", ("iam_instance_profile", "builder")),
    "ssh-port": ("AWS_SSH_PORT", "2222", None),
    "ssh-user": ("AWS_SSH_USER", "rancher", ("ssh_user", "rancher")),
    "request-spot-instance": ("", True, ("spot", True)),
    "spot-price": ("", "0.50", ("spot_price", "0.50")),
    "block-duration-minutes": ("", "60", None),
    "private-address-only": ("", True, ("private_address_only", True)),
    "use-private-address": ("", True, ("use_private_address", True)),
    "monitoring": ("", True, ("monitoring", True)),
    "use-ebs-optimized-instance": ("", True, ("ebs_optimized", True)),
    "ssh-keypath": ("AWS_SSH_KEYPATH", "/home/me/.ssh/id_rsa", None),
    "keypair-name": ("AWS_KEYPAIR_NAME", "mine", ("keypair_name", "mine")),
    "retries": ("", "7", None),
    "endpoint": ("AWS_ENDPOINT", "ec2.example:8443", ("endpoint_url", "https://ec2.example:8443")),
    "insecure-transport": ("AWS_INSECURE_TRANSPORT", True, None),
    "userdata": ("AWS_USERDATA", "/etc/data", ("userdata", "/etc/data")),
}
VARIABLES = [flag for flag, (variable, *_) in FLAGS.items() if variable]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[AwsOptions]:
    """What the driver was asked for, which is not asked of anybody."""
    options: list[AwsOptions] = []

    def check(self: AwsDriver, spec: Any, its: AwsOptions, identity: Any) -> dict[str, Any]:
        options.append(its)
        return {}

    monkeypatch.setattr(AwsDriver, "check", check)
    monkeypatch.setattr(AwsDriver, "explain", lambda *_: [])
    monkeypatch.setattr(AwsDriver, "missing_permissions", lambda *_: [])
    for name in (*(variable for variable, *_ in FLAGS.values()), "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_PROFILE"):
        if name:
            monkeypatch.delenv(name, raising=False)
    return options


def create(tmp_path: Path, *words: str) -> int:
    return run(["-s", str(tmp_path / "store"), "create", "--dry-run", "--save-credentials", *words, "web"])


def test_they_are_all_here() -> None:
    assert len(FLAGS) == 32


@pytest.mark.parametrize("driver", ["amazonec2", "aws"])
@pytest.mark.parametrize("flag", FLAGS)
def test_each_flag_means_what_it_meant_under_both_names(
    tmp_path: Path, asked: list[AwsOptions], flag: str, driver: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, value, meaning = FLAGS[flag]
    for prefix in ("amazonec2", "aws"):
        words = [f"--{prefix}-{flag}"] if value is True else [f"--{prefix}-{flag}", str(value)]
        assert create(tmp_path, "-d", driver, *words) == 0
        err = capsys.readouterr().err
        if meaning is None:
            assert asked[-1] == AwsOptions()
            assert f"Not used: --amazonec2-{flag} (" in err
        else:
            assert asked[-1] == AwsOptions(**dict([meaning]))
            assert "Not used" not in err


@pytest.mark.parametrize("flag", VARIABLES)
def test_each_variable_means_what_it_meant(
    tmp_path: Path, asked: list[AwsOptions], flag: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    variable, value, meaning = FLAGS[flag]
    monkeypatch.setenv(variable, "1" if value is True else str(value))
    assert create(tmp_path, "-d", "amazonec2") == 0
    assert asked == [AwsOptions(**dict([meaning])) if meaning else AwsOptions()]
    assert (f"Not used: {variable} (" in capsys.readouterr().err) == (meaning is None)


@pytest.mark.parametrize("flag", [flag for flag, (_, value, meaning) in FLAGS.items() if value is True and meaning])
@pytest.mark.parametrize(("said", "meant"), [("=true", True), ("=false", False), ("=1", True), ("", True)])
def test_a_switch_takes_a_value_as_go_s_do(
    tmp_path: Path, asked: list[AwsOptions], flag: str, said: str, meant: bool
) -> None:
    """So they are written in the configuration of GitLab's runner."""
    assert create(tmp_path, "-d", "amazonec2", f"--amazonec2-{flag}{said}") == 0
    assert asked == [AwsOptions(**{FLAGS[flag][2][0]: meant})]  # type: ignore[index]


def test_what_was_the_default_is_not_worth_a_word(
    tmp_path: Path, asked: list[AwsOptions], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        word
        for each in names.UNUSED_FLAGS["aws"]
        if each.default
        for word in (f"--amazonec2-{each.name}", each.default)
    ]
    assert words
    assert create(tmp_path, "-d", "amazonec2", *words) == 0
    assert capsys.readouterr().err == ""


def test_variables_of_the_old_driver_say_nothing_to_the_new_one(
    tmp_path: Path, asked: list[AwsOptions], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_SSH_PORT", "2222")
    assert create(tmp_path, "-d", "aws") == 0
    assert capsys.readouterr().err == ""


def test_a_flag_that_has_nothing_left_to_do_is_no_option_and_not_in_the_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    unused = {flag for flag, (*_, meaning) in FLAGS.items() if meaning is None}
    assert unused == {each.name for each in names.UNUSED_FLAGS["aws"]}
    assert not unused & {item.name.replace("_", "-") for item in declared_options(AwsDriver)}
    run(["create", "-d", "amazonec2", "--help"])
    out = capsys.readouterr().out
    assert "--aws-region" in out
    assert [flag for flag in unused if f"-{flag} " in out] == []


@pytest.mark.parametrize("text", ["ftp://x", "a b", "https://", "http://x y"])
def test_an_endpoint_that_is_none_is_refused(tmp_path: Path, asked: list[AwsOptions], text: str) -> None:
    assert create(tmp_path, "-d", "amazonec2", "--amazonec2-endpoint", text) == 1
    assert asked == []
