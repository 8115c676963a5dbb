"""The Ray cluster on AWS: by Ray's own validator, and for real against an AWS that is simulated (moto)."""

import copy
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.infra.files import INFRA, documents, tool, values_of

REGION = "us-east-1"
WORKERS = ("preprocess", "train")


@pytest.fixture
def cluster() -> dict[str, Any]:
    return documents("aws/cluster.yaml")[0]


def test_rays_validator_takes_it(cluster: dict[str, Any]) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(cluster))


def test_rays_validator_refuses_a_slip(cluster: dict[str, Any]) -> None:
    import jsonschema
    from ray.autoscaler._private.util import prepare_config, validate_config

    cluster["available_node_types"]["train"]["min_worker"] = 1
    with pytest.raises(jsonschema.ValidationError, match="min_worker"):
        validate_config(prepare_config(cluster))


def test_starts_from_zero_and_opens_nothing(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    assert [types[name]["min_workers"] for name in WORKERS] == [0, 0]
    assert cluster["max_workers"] == sum(types[name]["max_workers"] for name in WORKERS)
    assert types["preprocess"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    (head,) = [line for line in cluster["head_start_ray_commands"] if "ray start" in line]
    assert "--dashboard-host=127.0.0.1" in head
    assert cluster["provider"]["use_internal_ips"]
    for machine in (types[name]["node_config"] for name in types):
        assert machine["SecurityGroupIds"], "Ray would make a group that lets the world try SSH"
        assert machine["MetadataOptions"]["HttpTokens"] == "required"
        assert all(disk["Ebs"]["Encrypted"] for disk in machine["BlockDeviceMappings"])


def test_workers_have_the_memory_that_their_cores_ask_for(cluster: dict[str, Any]) -> None:
    from pipelines.contained import WorkConfig
    from pipelines.graph import CLIPS_CPUS, FACES_CPUS

    work = WorkConfig()
    pair = work.faces_memory_bytes + work.clips_memory_bytes
    cores = cluster["available_node_types"]["preprocess"]["resources"]["CPU"]
    # m7i.4xlarge has 64 GiB, of which Ray keeps a tenth for the system.
    assert cores / (FACES_CPUS + CLIPS_CPUS) * pair + 2e9 < 0.9 * 64 * 2**30


def test_cloudformation_finds_nothing_wrong_with_the_account() -> None:
    words = [tool("cfn-lint", "moto"), str(INFRA / "aws" / "account.yaml")]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An AWS account with nothing in it. Ray writes the key that it makes into a home of its own."""
    moto = pytest.importorskip("moto")
    (tmp_path / ".ssh").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # which would keep these credentials for other tests
    with moto.mock_aws():
        yield
    from ray.autoscaler._private.aws import utils

    for cached in (utils.resource_cache, utils.client_cache):
        cached.cache_clear()


def with_values_of(account: dict[str, str]) -> dict[str, Any]:
    """The cluster's file with its block filled in as its comments say."""
    import boto3

    ec2 = boto3.client("ec2", REGION)
    subnets = ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": [f"{REGION}a"]}])["Subnets"]
    text = (INFRA / "aws" / "cluster.yaml").read_text()
    for placeholder, value in {
        "subnet-REPLACE": subnets[0]["SubnetId"],
        "sg-REPLACE": account["SecurityGroup"],
        "arn:aws:iam::000000000000:instance-profile/REPLACE-HEAD": account["HeadProfile"],
        "arn:aws:iam::000000000000:instance-profile/REPLACE-WORKER": account["WorkerProfile"],
        "000000000000.dkr.ecr.us-east-1.amazonaws.com/liax": account["Repository"],
        "ami-REPLACE": ec2.describe_images()["Images"][0]["ImageId"],
    }.items():
        assert placeholder in text
        text = text.replace(placeholder, value)
    assert "REPLACE" not in text
    return dict(yaml.safe_load(text))


def test_the_account_is_made_and_the_machines_start(aws: None) -> None:
    import boto3
    from ray.autoscaler._private.commands import _bootstrap_config
    from ray.autoscaler._private.providers import _get_node_provider

    ec2, formation = boto3.client("ec2", REGION), boto3.client("cloudformation", REGION)
    network = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    formation.create_stack(
        StackName="liax",
        TemplateBody=(INFRA / "aws" / "account.yaml").read_text(),
        Parameters=[{"ParameterKey": "Vpc", "ParameterValue": network}],
        Capabilities=["CAPABILITY_IAM"],
    )
    stack = formation.describe_stacks(StackName="liax")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    account = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    groups = {group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]}
    config = _bootstrap_config(with_values_of(account), no_config_cache=True)
    after = ec2.describe_security_groups()["SecurityGroups"]
    assert {group["GroupId"] for group in after} == groups, "Ray made a group of its own"
    assert list(values_of([group["IpPermissions"] for group in after], "CidrIp")) == [], "an address may come in"

    provider = _get_node_provider(config["provider"], config["cluster_name"])
    for kind in config["available_node_types"].values():
        provider.create_node(copy.deepcopy(kind["node_config"]), {"ray-cluster-name": "liax"}, 1)
    machines = {
        machine["InstanceType"]: machine
        for reservation in ec2.describe_instances()["Reservations"]
        for machine in reservation["Instances"]
    }
    assert set(machines) == {"r7i.2xlarge", "m7i.4xlarge", "p4de.24xlarge"}
    assert machines["m7i.4xlarge"]["InstanceLifecycle"] == "spot"
    assert [machine["SecurityGroups"][0]["GroupId"] for machine in machines.values()] == [account["SecurityGroup"]] * 3
    assert machines["r7i.2xlarge"]["IamInstanceProfile"]["Arn"] == account["HeadProfile"]
    assert machines["p4de.24xlarge"]["IamInstanceProfile"]["Arn"] == account["WorkerProfile"]
    # What Ray finds on a machine must be what the file says, or the autoscaler waits for what never comes.
    train = config["available_node_types"]["train"]["resources"]
    assert (train["CPU"], train["GPU"]) == (96, 8)


def test_machines_get_the_bucket_and_no_other(aws: None) -> None:
    text = (INFRA / "aws" / "account.yaml").read_text()
    assert "AKIA" not in text
    # CloudFormation's short tags are no YAML of Python's: what they stand for does not matter here.
    yaml.SafeLoader.add_multi_constructor("!", lambda loader, suffix, node: f"!{suffix} {node.value}")
    try:
        template = yaml.safe_load(text)
    finally:
        del yaml.SafeLoader.yaml_multi_constructors["!"]
    statements = [s for found in values_of(template, "Statement") for s in found]
    for statement in statements:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not [action for action in actions if "*" in action], actions
        if any(action.startswith("s3:") for action in actions):
            assert "Bucket.Arn" in str(statement["Resource"])
        if statement.get("Resource") == "*":
            assert all(action.startswith("ec2:Describe") for action in actions)
