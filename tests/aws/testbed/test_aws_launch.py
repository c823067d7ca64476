"""RunInstances of the testbed is EC2's: tokens, what is kept of a request, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.testbed.refused import refused
from tests.testbed.aws import AwsServer

Launch = Callable[..., Any]


def described(ec2: Any, id: str) -> Any:
    return ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]


class TestClientTokens:
    def test_the_same_token_is_the_same_instance_and_the_same_reply(self, ec2: Any, launch: Launch) -> None:
        first, second = launch(ClientToken="t", UserData="x"), launch(ClientToken="t", UserData="x")
        assert first == second
        assert len(ec2.describe_instances()["Reservations"]) == 1

    def test_the_same_token_at_the_same_time_is_one_instance(self, ec2: Any, launch: Launch) -> None:
        threads = [threading.Thread(target=launch, kwargs={"ClientToken": "t"}) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ec2.describe_instances()["Reservations"]) == 1

    def test_without_a_token_and_with_another_it_is_another(self, launch: Launch) -> None:
        made = [launch(ClientToken=token)["InstanceId"] for token in ("a", "b")] + [launch()["InstanceId"]]
        assert len(set(made)) == 3

    @pytest.mark.parametrize("changed", [{"UserData": "y"}, {"InstanceType": "t3.small"}, {"MaxCount": 2}])
    def test_a_changed_parameter_is_a_mismatch(self, ec2: Any, launch: Launch, changed: dict[str, Any]) -> None:
        launch(ClientToken="t", UserData="x")
        with refused("IdempotentParameterMismatch"):
            launch(**{"ClientToken": "t", "UserData": "x"} | changed)
        assert len(ec2.describe_instances()["Reservations"]) == 1

    def test_another_zone_may_make_a_second_instance(self, launch: Launch) -> None:
        one = launch(ClientToken="t", Placement={"AvailabilityZone": "eu-central-1a"})
        other = launch(ClientToken="t", Placement={"AvailabilityZone": "eu-central-1b"})
        assert one["InstanceId"] != other["InstanceId"]

    def test_after_the_termination_the_token_is_refused(self, aws: AwsServer, ec2: Any, launch: Launch) -> None:
        made = launch(ClientToken="t")
        ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
        aws.settle()
        with refused("IdempotentInstanceTerminated"):
            launch(ClientToken="t")

    @pytest.mark.parametrize("token", ["x" * 65, "ü"])
    def test_what_is_no_token_is_refused(self, launch: Launch, token: str) -> None:
        with refused("InvalidParameterValue"):
            launch(ClientToken=token)

    def test_a_missing_capacity_binds_the_parameters_too(self, aws: AwsServer, launch: Launch) -> None:
        aws.fail("RunInstances", "InsufficientInstanceCapacity")
        with refused("InsufficientInstanceCapacity", status=500):
            launch(ClientToken="t")
        with refused("IdempotentParameterMismatch"):
            launch(ClientToken="t", InstanceType="t3.small")
        assert launch(ClientToken="t")["InstanceId"]

    def test_a_missing_capacity_does_not_touch_what_was_launched(self, aws: AwsServer, launch: Launch) -> None:
        made = launch(ClientToken="t")
        aws.fail("RunInstances", "InsufficientInstanceCapacity", times=None)
        assert launch(ClientToken="t") == made

    def test_an_invalid_request_binds_nothing(self, launch: Launch) -> None:
        with refused("InvalidKeyPair.NotFound"):
            launch(ClientToken="t", KeyName="none")
        assert launch(ClientToken="t")["InstanceId"]

    def test_a_repeated_call_of_the_sdk_does_not_make_a_second_instance(
        self, aws: AwsServer, client: Callable[..., Any], image: str
    ) -> None:
        aws.fail("RunInstances", after=True, drop=True)
        ec2 = client("ec2", attempts=3)
        ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        assert aws.count("RunInstances") == 2
        assert len(ec2.describe_instances()["Reservations"]) == 1

    def test_an_instance_is_found_by_its_token(self, ec2: Any, launch: Launch) -> None:
        launch(ClientToken="other")
        made = launch(ClientToken="this")
        found = ec2.describe_instances(Filters=[{"Name": "client-token", "Values": ["this"]}])["Reservations"]
        assert [each["Instances"][0]["InstanceId"] for each in found] == [made["InstanceId"]]
        assert found[0]["Instances"][0]["ClientToken"] == "this"


class TestWhatIsKept:
    def test_the_tags_of_all_that_a_launch_makes(self, ec2: Any, launch: Launch) -> None:
        kinds = ("instance", "volume", "network-interface", "spot-instances-request")
        made = launch(
            TagSpecifications=[{"ResourceType": kind, "Tags": [{"Key": "k", "Value": kind}]} for kind in kinds],
            InstanceMarketOptions={"MarketType": "spot"},
        )
        tags = [
            made["Tags"],
            ec2.describe_volumes()["Volumes"][0]["Tags"],
            ec2.describe_network_interfaces()["NetworkInterfaces"][0]["TagSet"],
            ec2.describe_spot_instance_requests()["SpotInstanceRequests"][0]["Tags"],
        ]
        assert [each[0]["Value"] for each in tags] == list(kinds)

    def test_as_many_as_possible_are_launched(self, ec2: Any, image: str) -> None:
        made = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=3)
        assert len(made["Instances"]) == 3

    def test_a_root_disk_is_the_images_with_what_the_request_changes(self, ec2: Any, launch: Launch) -> None:
        ebs = {"VolumeType": "gp3", "VolumeSize": 20, "Iops": 4000, "Throughput": 250, "Encrypted": True}
        made = launch(BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": ebs}])
        (disk,) = described(ec2, made["InstanceId"])["BlockDeviceMappings"]
        assert disk["DeviceName"] == made["RootDeviceName"] == "/dev/xvda"
        assert disk["Ebs"]["DeleteOnTermination"]
        (volume,) = ec2.describe_volumes()["Volumes"]
        assert (volume["Size"], volume["Iops"], volume["Throughput"], volume["Encrypted"]) == (20, 4000, 250, True)

    def test_a_second_disk_does_not_replace_the_root_disk(self, ec2: Any, launch: Launch) -> None:
        launch(
            BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 5, "VolumeType": "io2", "Iops": 100}}]
        )
        assert sorted(volume["Size"] for volume in ec2.describe_volumes()["Volumes"]) == [5, 8]

    def test_placement_and_capacity_reservation(self, ec2: Any, launch: Launch) -> None:
        target = {"CapacityReservationTarget": {"CapacityReservationId": "cr-1"}}
        made = launch(Placement={"Tenancy": "dedicated"}, CapacityReservationSpecification=target)
        found = described(ec2, made["InstanceId"])
        assert found["Placement"]["Tenancy"] == "dedicated"
        assert found["CapacityReservationId"] == "cr-1"
        assert found["CapacityReservationSpecification"] == target

    def test_metadata_options(self, ec2: Any, launch: Launch) -> None:
        made = launch(MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2})
        options = described(ec2, made["InstanceId"])["MetadataOptions"]
        assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 2)

    def test_an_ipv6_address_of_an_interface(self, ec2: Any, launch: Launch) -> None:
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
        block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
        subnet = ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.0.0.0/24", Ipv6CidrBlock=block)["Subnet"]
        made = launch(NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": subnet["SubnetId"], "Ipv6AddressCount": 1}])
        assert len(described(ec2, made["InstanceId"])["NetworkInterfaces"][0]["Ipv6Addresses"]) == 1

    def test_all_of_a_launch_template(self, ec2: Any, launch: Launch, image: str) -> None:
        ec2.create_launch_template(
            LaunchTemplateName="t",
            LaunchTemplateData={
                "ImageId": image, "InstanceType": "t3.small", "MetadataOptions": {"HttpTokens": "required"},
                "UserData": "aGVsbG8=", "Placement": {"Tenancy": "dedicated"},
                "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30}}],
                "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "template"}]}],
            },
        )  # fmt: skip
        made = launch(
            ImageId=None, InstanceType=None, LaunchTemplate={"LaunchTemplateName": "t"},
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "b", "Value": "request"}]}],
        )  # fmt: skip
        found = described(ec2, made["InstanceId"])
        assert (found["InstanceType"], found["MetadataOptions"]["HttpTokens"]) == ("t3.small", "required")
        assert found["Placement"]["Tenancy"] == "dedicated"
        assert {(tag["Key"], tag["Value"]) for tag in found["Tags"]} >= {("a", "template"), ("b", "request")}
        assert ec2.describe_volumes()["Volumes"][0]["Size"] == 30
        data = ec2.describe_instance_attribute(InstanceId=made["InstanceId"], Attribute="userData")
        assert data["UserData"]["Value"] == "aGVsbG8="

    def test_no_public_address_belongs_to_anybody(self, ec2: Any, launch: Launch) -> None:
        made = launch()
        assert made["PublicIpAddress"].startswith(("203.0.113.", "198.51.100."))
        assert made["PrivateIpAddress"].startswith("172.31.")
        assert ec2.allocate_address(Domain="vpc")["PublicIp"].startswith("192.0.2.")


class TestRefusals:
    def test_user_data_ends_at_16_kb_before_base64(self, launch: Launch) -> None:
        launch(UserData="x" * 16384)
        with refused("InvalidParameterValue", "User data is limited to 16384 bytes"):
            launch(UserData="x" * 16385)

    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ({"InstanceType": "t3.none"}, "InvalidParameterValue"),
            ({"InstanceType": "t4g.micro"}, "InvalidParameterValue"),  # arm64
            ({"ImageId": "ami-00000000000000000"}, "InvalidAMIID.NotFound"),
            ({"ImageId": "none"}, "InvalidAMIID.Malformed"),
            ({"KeyName": "none"}, "InvalidKeyPair.NotFound"),
            ({"SecurityGroupIds": ["sg-00000000000000000"]}, "InvalidGroup.NotFound"),
            ({"SecurityGroups": ["none"]}, "InvalidGroup.NotFound"),
            ({"LaunchTemplate": {"LaunchTemplateName": "none"}}, "InvalidLaunchTemplateName.NotFoundException"),
            (
                {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 2}}]},
                "InvalidBlockDeviceMapping",
            ),
            ({"DryRun": True}, "DryRunOperation"),
        ],
    )
    def test_with_ec2s_code(self, ec2: Any, launch: Launch, given: dict[str, Any], code: str) -> None:
        with refused(code):
            launch(**given)
        assert ec2.describe_instances()["Reservations"] == []

    def test_a_type_that_the_zone_has_not(self, client: Callable[..., Any]) -> None:
        ec2 = client("ec2", region_name="us-east-1")
        (image, *_) = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}])["Images"]
        with refused("Unsupported", "us-east-1e"):
            ec2.run_instances(
                ImageId=image["ImageId"], InstanceType="t3.micro", MinCount=1, MaxCount=1,
                Placement={"AvailabilityZone": "us-east-1e"},
            )  # fmt: skip

    def test_more_vcpus_than_the_quota(self, aws: AwsServer, ec2: Any, launch: Launch) -> None:
        aws.quota(vcpus=2, spot_vcpus=0)
        made = launch()
        with refused("VcpuLimitExceeded"):
            launch()
        with refused("MaxSpotInstanceCountExceeded"):
            launch(InstanceMarketOptions={"MarketType": "spot"})
        ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
        launch()

    def test_a_vpc_without_subnets(self, ec2: Any, launch: Launch) -> None:
        for subnet in ec2.describe_subnets()["Subnets"]:
            ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        with refused("MissingInput", "No subnets found for the default VPC"):
            launch()

    def test_no_default_vpc(self, ec2: Any, launch: Launch) -> None:
        for subnet in ec2.describe_subnets()["Subnets"]:
            ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        ec2.delete_vpc(VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"])
        with refused("VPCIdNotSpecified"):
            launch()

    def test_an_unknown_filter(self, ec2: Any, launch: Launch) -> None:
        launch()
        with refused("InvalidParameterValue"):
            ec2.describe_instances(Filters=[{"Name": "none", "Values": ["x"]}])
