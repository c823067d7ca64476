"""Prices and interruptions at AWS, against an EC2 whose instances are records and a price list in its real shape."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from machine.driver import Price, load_driver
from machine.drivers.aws import AwsDriver
from machine.drivers.aws.account import Account, account
from machine.drivers.aws.instances import observed
from machine.drivers.aws.prices import offering, prices
from machine.model import Access, Instance, Offering, Spec, State
from machine.operations.observe import Seen, observe
from machine.operations.pricing import Costs
from machine.store.store import Store
from tests.testbed.aws.server import REGION, AwsServer

MICRO = Offering(
    type="t3.micro",
    region=REGION,
    zone=f"{REGION}a",
    market="on-demand",
    tenancy="default",
    system="Linux/UNIX",
)


def like(**changed: str) -> Offering:
    return Offering(**{**{name: getattr(MICRO, name) for name in MICRO.__slots__}, **changed})


@pytest.fixture
def here(aws: AwsServer) -> Account:
    """The account of the test."""
    return account({"region": REGION, "endpoint_url": aws.url}, {})


def launched(count: int = 1, type: str = "t3.micro", **more: Any) -> list[str]:
    """Instances at EC2, made by another hand."""
    ec2 = boto3.client("ec2")
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}])["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, InstanceType=type, MinCount=count, MaxCount=count, **more)
    return [each["InstanceId"] for each in made["Instances"]]


SPOT: dict[str, Any] = {"InstanceMarketOptions": {"MarketType": "spot"}}


def recorded(store: Store, aws: AwsServer, ids: list[str]) -> None:
    """Machines whose instances these are."""
    for number, made in enumerate(ids):
        entry = store.journal.begin_create(Spec(name=f"h{number}", driver="aws"))
        store.journal.record_request(entry, {"account": {"region": REGION, "endpoint_url": aws.url}})
        store.journal.record_instance(entry, Instance(driver="aws", id=made, access=Access(host="192.0.2.1")))
        store.journal.finish(entry, state=State.RUNNING)


def looked(store: Store, *, priced: bool = True, timeout: float = 20.0) -> list[Seen]:
    """What `ls` sees of all machines."""
    costs = Costs(store) if priced else None
    return observe(store, store.machines.all(), load_driver, timeout=timeout, costs=costs)


# Prices


def test_the_price_on_demand_is_that_of_the_type_in_its_region(here: Account, aws: AwsServer) -> None:
    wanted = [MICRO, like(region="us-east-1", zone="us-east-1b"), like(tenancy="dedicated"), like(type="t4g.small")]
    assert [(each.hourly, each.currency) for each in prices(here, wanted)] == [
        ("0.01196", "USD"), ("0.0104", "USD"), ("0.0126776", "USD"), ("0.01932", "USD"),
    ]  # fmt: skip
    assert aws.count("GetProducts") == 4
    asked = next(call for call in aws.calls if call.action == "GetProducts")
    assert asked.params["ServiceCode"] == "AmazonEC2"
    assert {each["Field"] for each in asked.params["Filters"]} == {
        "instanceType", "regionCode", "operatingSystem", "tenancy", "capacitystatus", "preInstalledSw",
    }  # fmt: skip


def test_a_local_zone_has_no_price_of_the_region_around_it(here: Account) -> None:
    found = {"InstanceType": "t3.micro", "Placement": {"AvailabilityZone": "us-west-2-lax-1a"}}
    (price,) = prices(here, [offering(found, "us-west-2")])
    assert price.why_unknown == "the price list has none of t3.micro in us-west-2-lax-1"


def test_the_price_of_a_spot_instance_is_what_ec2_says_it_is_now(here: Account, aws: AwsServer) -> None:
    (price,) = prices(here, [like(market="spot")])
    assert (price.hourly, price.currency, price.lasts) == ("0.00001", "USD", 600.0)
    assert aws.count("GetProducts") == 0


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (like(type="x9.huge"), "the price list has none of x9.huge in eu-central-1"),
        (like(system="Red Hat Enterprise Linux"), "more is billed than the instance: Red Hat Enterprise Linux"),
        (like(tenancy="host"), "no list has a price of its tenancy (host)"),
        (like(market="capacity-block"), "it is billed as capacity-block"),
        (like(market="spot", zone="eu-central-1z"), "EC2 says no spot price of t3.micro in eu-central-1z"),
    ],
)
def test_what_no_list_has_is_unknown_and_says_why(here: Account, wanted: Offering, why: str) -> None:
    (price,) = prices(here, [wanted])
    assert (price.hourly, price.why_unknown) == (None, why)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"code": "AccessDeniedException"}, "these credentials may not ask for it (pricing:GetProducts)"),
        ({"code": "InternalError"}, "the service at the endpoint URL answers InternalError"),
        ({"drop": True}, "the service at the endpoint URL cannot be asked (ConnectionClosedError)"),
    ],
)
def test_a_price_list_that_does_not_answer_is_asked_once_and_says_why(
    here: Account, aws: AwsServer, fault: dict[str, Any], why: str
) -> None:
    aws.fail("GetProducts", times=None, **fault)
    (price,) = prices(here, [MICRO])
    assert (price.hourly, price.why_unknown) == (None, why)
    assert aws.count("GetProducts") == 1


def test_a_price_list_that_hangs_is_waited_for_two_seconds_for_all_types_together(
    here: Account, aws: AwsServer
) -> None:
    aws.fail("GetProducts", times=None, hang=60)
    begun = time.monotonic()
    said = prices(here, [like(type=f"t3.{number}") for number in range(20)])
    assert time.monotonic() - begun < 5
    assert {(each.hourly, each.why_unknown) for each in said} == {(None, "no answer in 2 s")}
    assert {each.lasts for each in said} == {60.0}


def test_one_type_that_hangs_takes_no_other_price_away(here: Account, aws: AwsServer) -> None:
    def micro(request: Any) -> bool:
        return {"Type": "TERM_MATCH", "Field": "instanceType", "Value": "t3.micro"} in request.params["Filters"]

    aws.fail("GetProducts", times=None, hang=60, when=micro)
    said = prices(here, [MICRO, like(type="t3.small")])
    assert [each.hourly for each in said] == [None, "0.02392"]


@pytest.fixture
def stranger(here: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """A client whose answers a test writes."""
    client = boto3.client("pricing", region_name="us-east-1")
    monkeypatch.setattr(Account, "quick", lambda self, service="ec2": client)
    with Stubber(client) as stubber:
        yield stubber


@pytest.mark.parametrize(
    ("products", "why"),
    [
        (["no JSON"], "the service at the endpoint URL does not answer as a price list does"),
        (['{"product": {}}'], "the service at the endpoint URL does not answer as a price list does"),
        (["[]"], "the service at the endpoint URL does not answer as a price list does"),
        ([], "the price list has none of t3.micro in eu-central-1"),
        (["1 Hrs", "2 Hrs"], "the price list has several prices of t3.micro in eu-central-1"),
        (["0 Hrs"], "the price list has none of t3.micro in eu-central-1"),
        (["1 Quantity"], "the price list has none of t3.micro in eu-central-1"),
    ],
)
def test_an_answer_that_is_no_single_price_is_unknown(
    here: Account, stranger: Stubber, products: list[str], why: str
) -> None:
    def product(text: str) -> str:
        if not re.fullmatch(r"\d \w+", text):
            return text
        amount, unit = text.split()
        rate = f'{{"unit": "{unit}", "pricePerUnit": {{"USD": "{amount}"}}}}'
        return f'{{"terms": {{"OnDemand": {{"o": {{"priceDimensions": {{"r": {rate}}}}}}}}}}}'

    stranger.add_response("get_products", {"PriceList": [product(each) for each in products]})
    assert prices(here, [MICRO]) == [Price(hourly=None, why_unknown=why, lasts=60.0)]


# What an instance is billed as


def test_an_instance_says_what_it_is_billed_as(aws: AwsServer) -> None:
    launched()
    found = boto3.client("ec2").describe_instances()["Reservations"][0]["Instances"][0]
    assert offering(found, REGION) == like(zone=found["Placement"]["AvailabilityZone"])
    assert offering({**found, "PlatformDetails": "SUSE Linux"}, REGION).system == "SUSE Linux"
    assert offering({**found, "Platform": "windows"}, REGION).system == "Windows"
    sold = {**found, "ProductCodes": [{"ProductCodeId": "abc", "ProductCodeType": "marketplace"}]}
    assert offering(sold, REGION).system == "Linux/UNIX from the AWS Marketplace"


def test_another_type_is_what_the_instance_is_billed_as_from_then_on(aws: AwsServer, here: Account) -> None:
    (made,) = launched()
    aws.settle()
    driver, instance = AwsDriver(), Instance(driver="aws", id=made, access=Access(host="192.0.2.1"))
    driver.sign_in(here.settings, {})
    aws.backend().get_instance(made).instance_type = "t3.small"
    (seen,) = driver.observe([instance])
    assert seen.offering is not None
    assert seen.offering.type == "t3.small"


# In `ls`


def test_fifty_machines_are_one_look_and_one_question_a_type_a_day(store: Store, aws: AwsServer) -> None:
    elsewhere = {"Placement": {"AvailabilityZone": f"{REGION}b"}}
    recorded(store, aws, launched(40) + launched(9, **elsewhere) + launched(1, "t3.small"))
    aws.settle()
    aws.calls.clear()
    seen = looked(store)
    assert [each.cost.hourly if each.cost else None for each in seen].count("0.01196") == 49
    assert (aws.count("GetProducts"), aws.count("DescribeInstances")) == (2, 1)
    looked(store)
    assert (aws.count("GetProducts"), aws.count("DescribeInstances")) == (2, 2)


def test_spot_machines_of_a_zone_are_one_question(store: Store, aws: AwsServer) -> None:
    recorded(store, aws, launched(3, **SPOT))
    aws.settle()
    seen = looked(store)
    assert {each.cost.hourly if each.cost else None for each in seen} == {"0.00001"}
    assert {each.offering.market if each.offering else None for each in seen} == {"spot"}
    assert (aws.count("DescribeSpotPriceHistory"), aws.count("GetProducts")) == (1, 0)


def test_states_alone_ask_for_no_price(store: Store, aws: AwsServer) -> None:
    recorded(store, aws, launched() + launched(**SPOT))
    looked(store, priced=False)
    assert aws.count("GetProducts") + aws.count("DescribeSpotPriceHistory") == 0


def test_a_price_list_that_hangs_delays_no_state_past_the_time_of_ls(store: Store, aws: AwsServer) -> None:
    recorded(store, aws, launched())
    aws.settle()
    looked(store, priced=False)  # boto3 is there
    aws.fail("GetProducts", times=None, hang=60)
    begun = time.monotonic()
    (seen,) = looked(store, timeout=1.0)
    assert time.monotonic() - begun < 1.9
    assert (seen.state, seen.recorded, seen.timed_out) == (State.RUNNING, False, False)
    assert seen.cost is not None
    assert (seen.cost.hourly, seen.cost.why_unknown) == (None, "no answer in 1 s")


def test_what_cannot_be_asked_is_not_asked_again_at_once(store: Store, aws: AwsServer) -> None:
    recorded(store, aws, launched())
    aws.settle()
    aws.fail("GetProducts", "AccessDeniedException", times=None)
    for _ in range(3):
        (seen,) = looked(store)
        assert seen.cost is not None
        assert seen.cost.why_unknown == "these credentials may not ask for it (pricing:GetProducts)"
    assert aws.count("GetProducts") == 1


def test_no_key_is_in_what_is_noted(store: Store, aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = "canary-5a1e"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", canary)
    monkeypatch.setenv("AWS_SESSION_TOKEN", canary)
    recorded(store, aws, launched())
    aws.settle()
    (seen,) = looked(store)
    assert seen.cost is not None
    assert seen.cost.hourly == "0.01196"
    store.close()
    files = [each for each in Path(store.directory).rglob("*") if each.is_file()]
    assert any(b"0.01196" in each.read_bytes() for each in files)
    assert not any(canary.encode() in each.read_bytes() for each in files)


# Interruption


def test_a_spot_instance_that_ec2_took_is_preempted_and_that_stays_known(store: Store, aws: AwsServer) -> None:
    (made,) = launched(**SPOT)
    recorded(store, aws, [made])
    aws.settle()
    aws.preempt(made)
    aws.settle()
    said = "EC2 took the spot instance away: Server.SpotInstanceTermination: Spot instance termination"
    (seen,) = looked(store)
    assert (seen.state, seen.trouble, seen.cost) == (State.PREEMPTED, said, None)
    kept = store.machines.get("h0")
    assert (kept.state, kept.error) == (State.PREEMPTED, said)
    # EC2 forgets it, as it does an hour later.
    aws.backend().reservations.clear()
    (seen,) = looked(store)
    assert (seen.state, seen.trouble) == (State.PREEMPTED, said)


def test_when_ec2_says_the_time_of_an_interruption_it_is_told() -> None:
    found = {
        "State": {"Name": "terminated"},
        "StateReason": {"Code": "Server.SpotInstanceTermination", "Message": "no capacity"},
        "StateTransitionReason": "Service initiated (2026-06-01 12:00:00 GMT)",
    }
    said = observed(found, private=False).detail
    assert said == "EC2 took the spot instance away (2026-06-01 12:00:00 GMT): no capacity"
