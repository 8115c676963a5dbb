"""What KubeRay's objects consist of, as a JSON schema that knows no other field.

No package index carries KubeRay's own definitions (CRDs), so this is written down from its reference of `ray.io/v1`
(docs.ray.io, "KubeRay CRD API reference", versions 1.6 and 1.7), and about as far as `infra/kubernetes/` uses it. A
field that is not here has to be looked up there first. Pods are checked by Kubernetes' own schemas.
"""

from typing import Any


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_ANY = {"type": "object"}
_PARAMETERS = {"type": "object", "additionalProperties": _TEXT}
"""Of `ray start`; all are text, so that YAML's numbers and truth values are refused."""

_HEAD = _object(
    {
        "rayStartParams": _PARAMETERS,
        "serviceType": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
        "enableIngress": {"type": "boolean"},
        "template": _ANY,
    },
    "rayStartParams",
    "template",
)
_WORKERS = _object(
    {
        "groupName": _TEXT,
        "replicas": _COUNT,
        "minReplicas": _COUNT,
        "maxReplicas": _COUNT,
        "numOfHosts": {"type": "integer", "minimum": 1},
        "idleTimeoutSeconds": _COUNT,
        "suspend": {"type": "boolean"},
        "rayStartParams": _PARAMETERS,
        "template": _ANY,
    },
    "groupName",
    "maxReplicas",
    "minReplicas",
    "rayStartParams",
    "replicas",
    "template",
)
_AUTOSCALER = _object(
    {
        "version": {"enum": ["v1", "v2"]},
        "upscalingMode": {"enum": ["Default", "Aggressive", "Conservative"]},
        "idleTimeoutSeconds": _COUNT,
        "image": _TEXT,
        "imagePullPolicy": _TEXT,
        "resources": _ANY,
        "securityContext": _ANY,
        "env": {"type": "array"},
        "envFrom": {"type": "array"},
    }
)
RAY_CLUSTER_SPEC = _object(
    {
        "rayVersion": _TEXT,
        "authOptions": _object({"mode": {"enum": ["disabled", "token"]}, "secretName": _TEXT}, "mode"),
        "enableInTreeAutoscaling": {"type": "boolean"},
        "autoscalerOptions": _AUTOSCALER,
        "headGroupSpec": _HEAD,
        "workerGroupSpecs": {"type": "array", "items": _WORKERS, "minItems": 1},
        "suspend": {"type": "boolean"},
    },
    "headGroupSpec",
    "rayVersion",
    "workerGroupSpecs",
)
RAY_JOB_SPEC = _object(
    {
        "entrypoint": _TEXT,
        "rayClusterSpec": RAY_CLUSTER_SPEC,
        "clusterSelector": _PARAMETERS,
        "submissionMode": {"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        "runtimeEnvYAML": _TEXT,
        "shutdownAfterJobFinishes": {"type": "boolean"},
        "ttlSecondsAfterFinished": _COUNT,
        "activeDeadlineSeconds": {"type": "integer", "minimum": 1},
        "backoffLimit": _COUNT,
        "suspend": {"type": "boolean"},
    },
    "entrypoint",
)


def schema(kind: str) -> dict[str, Any]:
    """Of a whole object; `kind` is RayCluster or RayJob."""
    spec = {"RayCluster": RAY_CLUSTER_SPEC, "RayJob": RAY_JOB_SPEC}[kind]
    metadata = _object({"name": _TEXT, "namespace": _TEXT, "labels": _PARAMETERS}, "name", "namespace")
    return _object(
        {"apiVersion": {"const": "ray.io/v1"}, "kind": {"const": kind}, "metadata": metadata, "spec": spec},
        "apiVersion",
        "kind",
        "metadata",
        "spec",
    )
