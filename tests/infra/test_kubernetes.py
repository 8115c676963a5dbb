"""The Kubernetes manifests: by Kubernetes' published schemas, KubeRay's fields, and what they say of each other."""

import copy
import re
from typing import Any

import jsonschema
import pytest

from liax.config import load_config
from liax.training.config import TrainConfig
from pipelines.contained import WorkConfig
from pipelines.graph import CLIPS_CPUS, FACES_CPUS
from tests.conftest import ROOT
from tests.infra.files import INFRA, documents, locked, values_of
from tests.infra.kuberay_fields import schema

FILES = sorted(path.name for path in (INFRA / "kubernetes").glob("*.yaml"))
KUBERAY = ("cluster.yaml", "preprocess.yaml", "train.yaml")
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def bytes_of(text: str) -> int:
    """A quantity of memory in Kubernetes' notation."""
    number, unit = re.fullmatch(r"(\d+)([KMG]i)", text).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def check(document: dict[str, Any]) -> None:
    """Hold an object of Kubernetes' own against its published schema, which knows no other field."""
    kubernetes_validate = pytest.importorskip(
        "kubernetes_validate", reason="the development group's kubernetes-validate brings it (make setup)"
    )
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def ray_cluster(name: str) -> dict[str, Any]:
    """The specification of the Ray cluster that a file makes."""
    (document,) = documents(f"kubernetes/{name}")
    spec = document["spec"]
    return dict(spec["rayClusterSpec"] if document["kind"] == "RayJob" else spec)


def groups(name: str) -> dict[str, dict[str, Any]]:
    """The groups of workers in a file, by name."""
    return {group["groupName"]: group for group in ray_cluster(name)["workerGroupSpecs"]}


def pod_templates() -> list[tuple[str, dict[str, Any]]]:
    """Every pod that a file describes, with the file's name."""
    return [
        (name, template)
        for name in FILES
        for document in documents(f"kubernetes/{name}")
        for template in values_of(document, "template")
    ]


@pytest.mark.parametrize("name", sorted(set(FILES) - set(KUBERAY)))
def test_kubernetes_schemas_take_it(name: str) -> None:
    for document in documents(f"kubernetes/{name}"):
        check(document)


@pytest.mark.parametrize("name", KUBERAY)
def test_kuberay_has_all_the_fields(name: str) -> None:
    (document,) = documents(f"kubernetes/{name}")
    jsonschema.validate(document, schema(document["kind"]))


@pytest.mark.parametrize(("path", "slip"), [("rayClusterSpec", "rayVersions"), ("", "entryPoint")])
def test_a_slip_of_kuberays_fields_is_refused(path: str, slip: str) -> None:
    (document,) = documents("kubernetes/train.yaml")
    changed = copy.deepcopy(document)
    (changed["spec"][path] if path else changed["spec"])[slip] = "x"
    with pytest.raises(jsonschema.ValidationError, match=slip):
        jsonschema.validate(changed, schema("RayJob"))


def test_every_pod_is_one_of_kubernetes() -> None:
    templates = pod_templates()
    assert len(templates) >= 8
    for _, template in templates:
        # The object that holds nothing but a template; KubeRay's own hold it as it is.
        metadata = {"name": "any"}
        check({"apiVersion": "v1", "kind": "PodTemplate", "metadata": metadata, "template": template})


def test_a_slip_in_a_pod_is_refused() -> None:
    _, template = pod_templates()[0]
    changed = copy.deepcopy(template)
    changed["spec"]["containers"][0]["volumeMount"] = []
    with pytest.raises(Exception, match="volumeMount"):
        check({"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "any"}, "template": changed})


@pytest.mark.parametrize("name", KUBERAY)
def test_ray_is_the_locks_and_asks_for_a_token(name: str) -> None:
    cluster = ray_cluster(name)
    assert cluster["rayVersion"] == locked("ray")
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert cluster["headGroupSpec"].get("serviceType", "ClusterIP") == "ClusterIP"


def test_ray_start_takes_its_parameters() -> None:
    from ray.scripts.scripts import start

    known = {option.removeprefix("--") for parameter in start.params for option in parameter.opts}
    for name in KUBERAY:
        for parameters in values_of(documents(f"kubernetes/{name}"), "rayStartParams"):
            assert set(parameters) <= known


def test_the_cluster_that_stays_starts_from_zero() -> None:
    assert ray_cluster("cluster.yaml")["enableInTreeAutoscaling"] is True
    for group in groups("cluster.yaml").values():
        assert (group["replicas"], group["minReplicas"]) == (0, 0)
        assert group["maxReplicas"] > 0


def test_nothing_is_root_and_nothing_is_secret() -> None:
    for name, template in pod_templates():
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        for container in spec["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False, name
            assert not container["image"].endswith(":latest"), name
            assert ":" in container["image"].rpartition("/")[2], name
            for variable in container.get("env", []):
                if re.search("PASSWORD|SECRET|TOKEN|KEY", variable["name"]):
                    assert "secretKeyRef" in variable["valueFrom"], variable
    for name in FILES:
        kinds = [document["kind"] for document in documents(f"kubernetes/{name}")]
        assert "Secret" not in kinds, "a secret is made on the command line, and never lies in a file"
        assert not set(values_of(documents(f"kubernetes/{name}"), "type")) & {"NodePort", "LoadBalancer"}


def test_everything_lies_in_the_namespace_and_refers_to_what_is_there() -> None:
    everything = [document for name in FILES for document in documents(f"kubernetes/{name}")]
    made = {(document["kind"], document["metadata"]["name"]) for document in everything}
    assert {document["metadata"].get("namespace", "liax") for document in everything} == {"liax"}
    assert ("Namespace", "liax") in made
    assert {("ServiceAccount", name) for name in values_of(everything, "serviceAccountName")} <= made
    readme = (INFRA / "README.md").read_text()
    secrets = {reference["name"] for key in ("secretRef", "secretKeyRef") for reference in values_of(everything, key)}
    assert secrets == {"liax-s3", "mlflow-postgres"}
    for secret in secrets:
        assert f"create secret generic {secret}" in readme, "the README tells how to make it"
    uris = {
        variable["value"]
        for variables in values_of(everything, "env")
        for variable in variables
        if variable["name"] == "MLFLOW_TRACKING_URI"
    }
    assert uris == {"http://mlflow:5000"}
    assert ("Service", "mlflow") in made


@pytest.mark.parametrize("name", ["cluster.yaml", "preprocess.yaml"])
def test_preprocessing_pods_hold_what_their_workers_reserve(name: str) -> None:
    group, work = groups(name)["preprocess"], WorkConfig()
    (container,) = group["template"]["spec"]["containers"]
    cores, memory = int(container["resources"]["limits"]["cpu"]), bytes_of(container["resources"]["limits"]["memory"])
    pairs = cores / (FACES_CPUS + CLIPS_CPUS)
    ray_memory = int(group["rayStartParams"]["memory"])
    assert ray_memory == pairs * (work.faces_memory_bytes + work.clips_memory_bytes)
    assert ray_memory + int(group["rayStartParams"]["object-store-memory"]) < memory


def test_shared_memory_holds_the_object_store_and_the_loaders() -> None:
    config = load_config(TrainConfig, ROOT / "jobs/configs/train_base_512.yaml", ["shards=s", "output=o"])
    size_px = config.model.generator().size_px
    loaders = config.data.prefetch_steps * config.batch * 2 * size_px * size_px * 3
    for name in KUBERAY:
        parts = [ray_cluster(name)["headGroupSpec"], *ray_cluster(name)["workerGroupSpecs"]]
        for part in parts:
            spec = part["template"]["spec"]
            (shared,) = [volume["emptyDir"] for volume in spec["volumes"] if volume["name"] == "shm"]
            assert shared["medium"] == "Memory"
            mounts = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
            assert mounts["shm"] == "/dev/shm"
            needed = int(part["rayStartParams"]["object-store-memory"])
            if part.get("groupName") == "train":
                needed += loaders + 2**30  # and NCCL's
            size, limits = bytes_of(shared["sizeLimit"]), spec["containers"][0]["resources"]["limits"]
            assert needed < size < bytes_of(limits["memory"]) / 2


@pytest.mark.parametrize("name", ["cluster.yaml", "train.yaml"])
def test_training_pods_have_gpus_cores_and_time_to_save(name: str) -> None:
    group = groups(name)["train"]
    config = load_config(TrainConfig, ROOT / "jobs/configs/train_base_512.yaml", ["shards=s", "output=o"])
    spec = group["template"]["spec"]
    (container,) = spec["containers"]
    gpus, cores = (int(container["resources"]["limits"][kind]) for kind in ("nvidia.com/gpu", "cpu"))
    assert cores >= gpus * config.cpus_per_worker
    assert container["resources"]["requests"] == container["resources"]["limits"]
    assert spec["terminationGracePeriodSeconds"] >= 120
    assert container["image"].endswith(":cuda")
    script = container["lifecycle"]["preStop"]["exec"]["command"][-1]
    deadline = re.search(r"--deadline-remaining-seconds (\d+)", script)
    assert deadline
    assert int(deadline[1]) < spec["terminationGracePeriodSeconds"]


def test_a_pod_that_goes_tells_ray_by_a_command_that_there_is() -> None:
    import shlex

    from ray.scripts.scripts import cli

    from tests.training_runs import WORKER

    (container,) = groups("train.yaml")["train"]["template"]["spec"]["containers"]
    script = container["lifecycle"]["preStop"]["exec"]["command"][-1]
    words = shlex.split(script.partition(";")[0])
    assert words[:2] == ["ray", "drain-node"]
    cli.commands["drain-node"].make_context("drain-node", words[2:], resilient_parsing=False)
    # In brackets, so that the search does not find itself.
    assert f"[{WORKER[0]}]{WORKER[1:]}" in script
