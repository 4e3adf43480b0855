"""The ways in which the chart is installed in tests, from the smallest to the strictest.

The one rule: each is what somebody would really set. This module must not know helm.
"""

from collections.abc import Mapping
from typing import Any, Final

Values = Mapping[str, Any]

EXTERNAL: Final[Values] = {
    "etcd": {
        "enabled": False,
        "external": {
            "endpoints": ["etcd-a.ledger.svc:2379", "etcd-b.ledger.svc:2379", "[fd00::1]:12379"],
            "tlsSecret": "ledger-tls",
            "user": "farebox",
            "passwordSecret": "ledger-user",
        },
    },
}
MONITORED: Final[Values] = {
    "monitoring": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "podMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True, "annotations": {"grafana_folder": "LLM"}},
    },
}
DIGEST: Final = "sha256:" + "0123456789abcdef" * 4
_PLACED: Final[Values] = {
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"pool": "platform"},
    "tolerations": [{"key": "platform", "operator": "Exists", "effect": "NoSchedule"}],
    "antiAffinity": "Required",
    "podLabels": {"team": "platform"},
    "podAnnotations": {"example.com/scrape": "no"},
}
_SPREAD: Final[Values] = {
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "topologySpreadConstraints": [
        {"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
    ],
}

INSTALLATIONS: Final[Mapping[str, Values]] = {
    "as it comes": {},
    "as small as can be": {
        "controller": {"replicas": 1},
        "etcd": {"members": 1, "storage": {"type": "EmptyDir", "size": "1Gi"}},
    },
    "as large as can be": {"controller": {"replicas": 5}, "etcd": {"members": 5}},
    "ledger deleted with the release": {"etcd": {"storage": {"whenUninstalled": "Delete"}}},
    "with an etcd of its own": EXTERNAL,
    "with an etcd that asks for no certificate": {
        "etcd": {
            "enabled": False,
            "external": {
                "endpoints": ["etcd.ledger.svc:2379"],
                "tlsSecret": "ledger-tls",
                "clientCertificate": False,
            },
        },
        "networkPolicy": {"etcdTo": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]},
    },
    "with certificates of its own": {
        "etcd": {"tls": {"memberSecret": "members", "clientSecret": "controllers"}}
    },
    "without injection": {"webhook": {"enabled": False}},
    "injection where it can": {
        "webhook": {"failurePolicy": "Ignore", "excludedNamespaces": ["ingress"]},
        "sidecar": {
            "baseUrls": ["openai"],
            "env": {"FAREBOX_KEEP_PROMPTS": "false"},
            "keys": [
                {"name": "OPENAI_API_KEY", "secretName": "llm-keys", "secretKey": "openai"},
                {"name": "SPARE_KEY", "secretName": "spare", "secretKey": "a", "optional": True},
            ],
            "pullSecrets": ["images"],
            "runAsUser": "Image",
        },
    },
    "watched": MONITORED,
    "watched, with an etcd of its own, without injection": {
        **MONITORED,
        **EXTERNAL,
        "webhook": {"enabled": False},
    },
    "without network policies": {"networkPolicy": {"enabled": False}},
    "with narrow network policies": {
        "networkPolicy": {
            "sidecarsFrom": [
                {"namespaceSelector": {"matchLabels": {"farebox.dev/inject": "enabled"}}}
            ],
            "webhookFrom": [{"ipBlock": {"cidr": "10.0.0.0/28"}}],
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
            "apiServerPorts": [6443],
            "apiServerAddresses": ["10.0.0.1/32", "fd00::1/128"],
        }
    },
    "in a cluster with IPv6": {
        "controller": {"bindAddress": "[::]"},
        "etcd": {"bindAddress": "[::]"},
    },
    "on chosen nodes, pinned, from a registry": {
        "image": {"registry": "images.example.com/platform/", "pullSecrets": ["images"]},
        "controller": {**_PLACED, "image": {"digest": DIGEST}},
        "sidecar": {"image": {"digest": DIGEST}},
        "etcd": {**_PLACED, "image": {"digest": DIGEST}},
        "commonLabels": {"owner": "platform"},
        "commonAnnotations": {"example.com/cost-centre": "42"},
    },
    "spread in its own words": {"controller": _SPREAD, "etcd": _SPREAD},
    "with every right for people": {"rbac": {"aggregateToAdmin": True}},
    "with no right for people": {"rbac": {"aggregateToView": False, "viewer": False}},
    "with CRDs of the release": {"crds": {"managed": True}},
}
