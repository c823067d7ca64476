"""What each option of ``create -d aws`` asks EC2 for, and what it never touches."""

from __future__ import annotations

import base64
import re
from typing import Any

import boto3
import pytest

from tests.aws.world import QUICK, AwsWorld, left, resources
from tests.testbed.aws.server import REGION, AwsServer

KEY = f"arn:aws:kms:{REGION}:123456789012:key/0123"


@pytest.fixture(autouse=True)
def quick(world: AwsWorld) -> None:
    world.prelude = QUICK


def launch_of(world: AwsWorld, *options: str) -> dict[str, Any]:
    """The fields of the RunInstances that a create with these options ends in."""
    world.server.calls.clear()
    world.ok(" ".join(("create -d aws", *options, "web")))
    (call,) = [call for call in world.server.calls if call.action == "RunInstances"]
    return dict(call.params)


PLAIN = {
    "MinCount": "1",
    "MaxCount": "1",
    "InstanceType": "t3.micro",
    "MetadataOptions.HttpTokens": "required",
    "MetadataOptions.HttpEndpoint": "enabled",
    "MetadataOptions.HttpPutResponseHopLimit": "1",
    "BlockDeviceMapping.1.DeviceName": "/dev/xvda",
    "BlockDeviceMapping.1.Ebs.VolumeSize": "16",
    "BlockDeviceMapping.1.Ebs.VolumeType": "gp3",
    "BlockDeviceMapping.1.Ebs.Encrypted": "true",
    "BlockDeviceMapping.1.Ebs.DeleteOnTermination": "true",
    "InstanceInitiatedShutdownBehavior": "stop",
}
_EACH_TIME = re.compile(r"(TagSpecification|SecurityGroupId)\.|ImageId|UserData|ClientToken|SubnetId")


def test_without_options_it_is_a_small_encrypted_instance_that_only_tokens_may_ask_for_metadata(
    world: AwsWorld,
) -> None:
    asked = launch_of(world)
    assert {name: value for name, value in asked.items() if not _EACH_TIME.match(name)} == PLAIN
    assert len(asked["ClientToken"]) <= 64


@pytest.mark.parametrize(
    ("options", "adds"),
    [
        ("--aws-instance-type t3.small", {"InstanceType": "t3.small"}),
        ("--aws-metadata-hops 2", {"MetadataOptions.HttpPutResponseHopLimit": "2"}),
        (
            "--aws-root-size 50 --aws-volume-type gp3 --aws-volume-iops 4000 --aws-volume-throughput 250",
            {
                "BlockDeviceMapping.1.Ebs.VolumeSize": "50",
                "BlockDeviceMapping.1.Ebs.Iops": "4000",
                "BlockDeviceMapping.1.Ebs.Throughput": "250",
            },
        ),
        ("--aws-volume-encryption off", {"BlockDeviceMapping.1.Ebs.Encrypted": "false"}),
        ("--aws-volume-encryption account", {"BlockDeviceMapping.1.Ebs.Encrypted": None}),
        (f"--aws-kms-key {KEY}", {"BlockDeviceMapping.1.Ebs.KmsKeyId": KEY}),
        ("--aws-device-name /dev/sda1", {"BlockDeviceMapping.1.DeviceName": "/dev/sda1"}),
        ("--aws-iam-instance-profile web", {"IamInstanceProfile.Name": "web"}),
        ("--aws-monitoring", {"Monitoring.Enabled": "true"}),
        ("--aws-ebs-optimized", {"EbsOptimized": "true"}),
        ("--aws-termination-protection", {"DisableApiTermination": "true"}),
        ("--aws-stop-protection", {"DisableApiStop": "true"}),
        ("--aws-tenancy dedicated", {"Placement.Tenancy": "dedicated"}),
        ("--aws-placement-group rack", {"Placement.GroupName": "rack"}),
        (
            "--aws-capacity-reservation cr-0123abcd",
            {"CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId": "cr-0123abcd"},
        ),
        (
            "--aws-spot",
            {
                "InstanceMarketOptions.MarketType": "spot",
                "InstanceMarketOptions.SpotOptions.SpotInstanceType": "one-time",
                "InstanceInitiatedShutdownBehavior": None,
            },
        ),
        (
            "--aws-spot --aws-spot-price 0.004",
            {
                "InstanceMarketOptions.MarketType": "spot",
                "InstanceMarketOptions.SpotOptions.SpotInstanceType": "one-time",
                "InstanceMarketOptions.SpotOptions.MaxPrice": "0.004",
                "InstanceInitiatedShutdownBehavior": None,
            },
        ),
        ("--aws-keypair-name mine", {"KeyName": "mine"}),
    ],
)
def test_an_option_asks_for_what_it_says_and_for_nothing_else(
    world: AwsWorld, options: str, adds: dict[str, str | None]
) -> None:
    prepare(world.server)
    asked = {name: value for name, value in launch_of(world, options).items() if not _EACH_TIME.match(name)}
    wanted = {name: value for name, value in {**PLAIN, **adds}.items() if value is not None}
    assert asked == wanted


def client(server: AwsServer, service: str = "ec2") -> Any:
    """AWS as an operator has it beside the command."""
    return boto3.client(service, endpoint_url=server.url, region_name=REGION)


def prepare(server: AwsServer) -> None:
    """What the options name."""
    client(server).create_key_pair(KeyName="mine", KeyType="ed25519")
    client(server, "iam").create_instance_profile(InstanceProfileName="web")


def test_everything_carries_the_marks_and_the_operators_tags_from_the_call_that_makes_it(world: AwsWorld) -> None:
    world.ok("create -d aws --aws-elastic-ip --aws-tags team=web,purpose=test web")
    (row,) = world.rows("SELECT token FROM instances")
    wanted = {
        "Name": "web",
        "team": "web",
        "purpose": "test",
        "pymachine:machine": "web",
        "pymachine:operation": row["token"],
    }
    found = resources(world.server)
    assert sorted(name.partition(" ")[0] for name, _ in found) == [
        "address",
        "group",
        "instance",
        "interface",
        "volume",
    ]
    for name, tags in found:
        assert tags.pop("pymachine:store"), name
        assert tags == wanted, name
    assert world.server.count("CreateTags") == 0


def test_the_group_lets_in_the_operator_and_who_was_named_and_nobody_else(world: AwsWorld) -> None:
    world.ok(
        "create -d aws --aws-allow-cidr 203.0.113.0/24 --aws-allow-cidr 2001:db8::/32"
        " --aws-open-port 80 --aws-open-port 53/udp --aws-open-port 8000-8010 web"
    )
    groups = client(world.server).describe_security_groups()["SecurityGroups"]
    (group,) = [each for each in groups if each["GroupName"] != "default"]
    numbers = {
        (each["IpProtocol"], each["FromPort"], each["ToPort"], said.get("CidrIp") or said.get("CidrIpv6"))
        for each in group["IpPermissions"]
        for said in [*each["IpRanges"], *each["Ipv6Ranges"]]
    }
    assert numbers == {
        ("tcp", 22, 22, "203.0.113.0/24"), ("tcp", 22, 22, "2001:db8::/32"),
        ("tcp", 2376, 2376, "203.0.113.0/24"), ("tcp", 2376, 2376, "2001:db8::/32"),
        ("tcp", 80, 80, "0.0.0.0/0"), ("udp", 53, 53, "0.0.0.0/0"), ("tcp", 8000, 8010, "0.0.0.0/0"),
    }  # fmt: skip


def test_unasked_only_the_operators_own_address_is_let_in(world: AwsWorld) -> None:
    world.ok("create -d aws web")
    (call,) = [call for call in world.server.calls if call.action == "AuthorizeSecurityGroupIngress"]
    who = {value for name, value in call.params.items() if "Cidr" in name}
    assert who == {"127.0.0.1/32"}


GROUP_CALLS = ("CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "DeleteSecurityGroup", "ModifySecurityGroup")


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_group_of_the_operators_own_is_used_and_never_changed_or_removed(world: AwsWorld, by: str) -> None:
    backend = world.server.backend()
    mine = backend.create_security_group("mine", "of my own", vpc_id=backend.default_vpc.id)
    asked = launch_of(world, "--aws-security-group", mine.id if by == "id" else "mine")
    assert asked["SecurityGroupId.1"] == mine.id
    world.ok("rm -y web")
    assert not [call for call in world.server.calls if call.action.startswith(GROUP_CALLS)]
    assert left(world.server) == [f"group {mine.id}"]


def test_a_subnet_a_zone_or_a_vpc_that_was_named_is_where_it_is(world: AwsWorld) -> None:
    ec2 = client(world.server)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    place = {"CidrBlock": "10.9.1.0/24", "AvailabilityZone": f"{REGION}b"}
    subnet = ec2.create_subnet(VpcId=vpc, **place)["Subnet"]["SubnetId"]
    filters = [{"Name": "availability-zone", "Values": [f"{REGION}c"]}]
    default = ec2.describe_subnets(Filters=filters)["Subnets"][0]["SubnetId"]
    for options, wanted in (
        (f"--aws-subnet-id {subnet}", subnet),
        (f"--aws-vpc-id {vpc}", subnet),
        ("--aws-zone c", default),
        (f"--aws-zone {REGION}c", default),
    ):
        asked = launch_of(world, options)
        assert wanted in (asked.get("SubnetId"), asked.get("NetworkInterface.1.SubnetId"))
        world.ok("rm -y web")


def test_a_private_address_only_has_no_public_one_and_is_reached_there(world: AwsWorld) -> None:
    asked = launch_of(world, "--aws-private-address-only")
    assert asked["NetworkInterface.1.AssociatePublicIpAddress"] == "false"
    assert asked["NetworkInterface.1.DeleteOnTermination"] == "true"
    (instance,) = world.server.backend().all_instances()
    assert world.ok("ip web")[0].out.strip() == instance.private_ip


def test_a_private_address_can_be_used_though_there_is_a_public_one(world: AwsWorld) -> None:
    launch_of(world, "--aws-use-private-address")
    (instance,) = world.server.backend().all_instances()
    assert instance.public_ip
    assert world.ok("ip web")[0].out.strip() == instance.private_ip


def test_ipv6_asks_for_an_address_of_that_kind(world: AwsWorld) -> None:
    ec2 = client(world.server)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
    place = {"CidrBlock": "10.9.1.0/24", "Ipv6CidrBlock": block, "AvailabilityZone": f"{REGION}b"}
    subnet = ec2.create_subnet(VpcId=vpc["VpcId"], **place)["Subnet"]["SubnetId"]
    asked = launch_of(world, f"--aws-subnet-id {subnet} --aws-ipv6 --aws-open-port 80")
    assert asked["NetworkInterface.1.Ipv6AddressCount"] == "1"
    assert asked["NetworkInterface.1.AssociatePublicIpAddress"] == "true"
    (call,) = [call for call in world.server.calls if call.action == "AuthorizeSecurityGroupIngress"]
    assert "::/0" in call.params.values()


def test_an_elastic_ip_stays_over_stop_and_start_and_goes_with_the_machine(world: AwsWorld) -> None:
    world.ok("create -d aws --aws-elastic-ip web")
    (address,) = world.server.backend().describe_addresses()
    for commands in ((), ("stop web", "start web")):
        world.ok(*commands)
        assert world.ok("ip web")[0].out.strip() == address.public_ip
    world.ok("rm -y web")
    assert left(world.server) == []


def test_without_an_elastic_ip_a_start_finds_the_new_address(world: AwsWorld) -> None:
    world.ok("create -d aws web")
    before = world.ok("ip web")[0].out
    world.ok("stop web", "start web")
    (instance,) = world.server.backend().all_instances()
    assert world.ok("ip web")[0].out.strip() == instance.public_ip != before.strip()


def test_what_is_not_said_comes_from_the_launch_template(world: AwsWorld) -> None:
    client(world.server).create_launch_template(
        LaunchTemplateName="web",
        LaunchTemplateData={"InstanceType": "t3.large", "Monitoring": {"Enabled": True}},
    )
    asked = launch_of(world, "--aws-launch-template web")
    assert asked["LaunchTemplate.Version"] == "1"
    assert asked["LaunchTemplate.LaunchTemplateId"].startswith("lt-")
    assert asked["InstanceType"] == "t3.large"
    (instance,) = world.server.backend().all_instances()
    assert instance.instance_type == "t3.large"
    world.ok("rm -y web")
    assert launch_of(world, "--aws-launch-template web --aws-instance-type t3.small")["InstanceType"] == "t3.small"


def test_user_data_of_the_operators_own_is_in_it_beside_ours(world: AwsWorld) -> None:
    world.home.mkdir(exist_ok=True)
    (world.home / "data").write_text("#cloud-config\npackages: [canary-package]\n")
    sent = base64.b64decode(launch_of(world, "--aws-userdata HOME/data")["UserData"])
    assert b"canary-package" in sent
    assert b"Merge-Type" in sent


@pytest.mark.parametrize(
    ("options", "user"),
    [
        ("--aws-image ubuntu-24.04", "ubuntu"),
        ("--aws-image amazon-linux-2023", "ec2-user"),
        ("--aws-image debian-13 --aws-instance-type t4g.micro", "admin"),
        ("--aws-ssh-user me", "me"),
        ("--aws-ami 136693071363:debian-13-amd64-*", "admin"),
    ],
)
def test_an_image_has_its_user_and_the_architecture_of_the_type(world: AwsWorld, options: str, user: str) -> None:
    asked = launch_of(world, options)
    image = world.server.backend().amis[asked["ImageId"]]
    assert image.architecture == ("arm64" if "t4g" in options else "x86_64")
    kind = image.name.partition("20")[0]
    assert image.name == max(each.name for each in world.server.backend().amis.values() if each.name.startswith(kind))
    assert f'"SSHUser": "{user}"' in world.ok("inspect web")[0].out
