"""The images, parameters, prices, quotas and policies of the testbed are as AWS has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.testbed.refused import refused
from tests.testbed.aws import AwsServer

Clients = Callable[..., Any]


@pytest.mark.parametrize(
    ("owner", "pattern", "device", "architecture", "parameter"),
    [
        ("136693071363", "debian-12-amd64-*", "/dev/xvda", "x86_64", "debian/release/12/latest/amd64"),
        ("136693071363", "debian-13-arm64-*", "/dev/xvda", "arm64", "debian/release/13/latest/arm64"),
        (
            "099720109477", "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*", "/dev/sda1", "x86_64",
            "canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
        ),
        (
            "099720109477", "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-arm64-server-*", "/dev/sda1", "arm64",
            "canonical/ubuntu/server/jammy/stable/current/arm64/hvm/ebs-gp2/ami-id",
        ),
        (
            "amazon", "al2023-ami-2023*-x86_64", "/dev/xvda", "x86_64",
            "ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        ),
    ],
)  # fmt: skip
def test_a_parameter_names_the_newest_of_several_images(
    client: Clients, owner: str, pattern: str, device: str, architecture: str, parameter: str
) -> None:
    named = [{"Name": "name", "Values": [pattern]}]
    images = client("ec2").describe_images(Owners=[owner], Filters=named)["Images"]
    newest = max(images, key=lambda image: image["CreationDate"])
    assert len(images) == 3
    assert newest not in (images[0], images[-1])
    assert (newest["RootDeviceName"], newest["Architecture"]) == (device, architecture)
    ssm, name = client("ssm"), f"/aws/service/{parameter}"
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == newest["ImageId"]
    assert ssm.get_parameters(Names=[name, "/aws/service/none"])["InvalidParameters"] == ["/aws/service/none"]
    path = name.rpartition("/")[0]
    assert name in [each["Name"] for each in ssm.get_parameters_by_path(Path=path, Recursive=True)["Parameters"]]


def test_images_differ_from_region_to_region(client: Clients) -> None:
    found = [
        {image["ImageId"] for image in client("ec2", region_name=region).describe_images()["Images"]}
        for region in ("eu-central-1", "us-east-1")
    ]
    assert not found[0] & found[1]


def test_a_launch_may_name_a_parameter(client: Clients, image: str, launch: Clients) -> None:
    assert launch(ImageId="resolve:ssm:/aws/service/debian/release/12/latest/amd64")["ImageId"] == image


def test_the_price_list_has_one_price_for_what_is_asked(client: Clients) -> None:
    wanted = {
        "instanceType": "t3.micro", "regionCode": "eu-central-1", "operatingSystem": "Linux", "tenancy": "Shared",
        "preInstalledSw": "NA", "capacitystatus": "Used",
    }  # fmt: skip
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
    (text,) = client("pricing", region_name="us-east-1").get_products(ServiceCode="AmazonEC2", Filters=filters)[
        "PriceList"
    ]
    (offer,) = json.loads(text)["terms"]["OnDemand"].values()
    (dimension,) = offer["priceDimensions"].values()
    assert (dimension["unit"], float(dimension["pricePerUnit"]["USD"])) == ("Hrs", pytest.approx(0.01196))


def test_the_price_list_comes_in_pages(client: Clients) -> None:
    pages = client("pricing", region_name="us-east-1").get_paginator("get_products").paginate(ServiceCode="AmazonEC2")
    assert len({json.loads(text)["product"]["sku"] for page in pages for text in page["PriceList"]}) > 100


def test_the_quota_is_the_one_that_counts(aws: AwsServer, client: Clients) -> None:
    aws.quota(vcpus=5)
    found = client("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")
    assert found["Quota"]["Value"] == 5


def test_only_what_a_policy_allows_is_allowed(aws: AwsServer, client: Clients, image: str) -> None:
    allowed = {"Effect": "Allow", "Action": ["ec2:Describe*"], "Resource": "*"}
    key = aws.enforce({"Version": "2012-10-17", "Statement": [allowed]})
    credentials = {
        "aws_access_key_id": key.access_key_id, "aws_secret_access_key": key.secret_access_key,
    }  # fmt: skip
    ec2 = client("ec2", **credentials)
    assert ec2.describe_images(ImageIds=[image])["Images"]
    with refused("UnauthorizedOperation", status=403):
        ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, DryRun=True)
    with pytest.raises(ClientError, match="AccessDenied"):
        client("ssm", **credentials).get_parameter(Name="/aws/service/debian/release/12/latest/amd64")
    with pytest.raises(ClientError, match="AuthFailure"):
        client("ec2").describe_vpcs()
    aws.reset()
    assert client("ec2").describe_vpcs()["Vpcs"]


def test_identity_and_roles(client: Clients) -> None:
    sts = client("sts")
    assert sts.get_caller_identity()["Account"] == "123456789012"
    role = sts.assume_role(RoleArn="arn:aws:iam::210987654321:role/other", RoleSessionName="test")["Credentials"]
    other = client(
        "sts", aws_access_key_id=role["AccessKeyId"], aws_secret_access_key=role["SecretAccessKey"],
        aws_session_token=role["SessionToken"],
    )  # fmt: skip
    assert other.get_caller_identity()["Account"] == "210987654321"
