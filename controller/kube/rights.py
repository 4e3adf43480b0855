"""What a controller may do at the API server, verb by verb, and why.

The one rule: nothing else is asked of the API server. The chart grants exactly this, the document
shows exactly this, and the tests against a real API server run with exactly this. This module must
not know how the API server is called.
"""

import enum
from dataclasses import dataclass
from typing import Final

from controller.kube.options import SERVICE


class Scope(enum.StrEnum):
    """Where a right holds."""

    CLUSTER = "everywhere"
    OWN = "own namespace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """Verbs on a resource of an API group ("" is the core).

    `names`: only objects of these names; empty: all. `injecting`: needed only with --webhook.
    `module`: who in controller/kube needs it.
    """

    group: str
    resource: str
    verbs: tuple[str, ...]
    why: str
    module: str
    names: tuple[str, ...] = ()
    scope: Scope = Scope.CLUSTER
    injecting: bool = False


GROUP: Final = "farebox.dev"
KINDS: Final = ("budgetpools", "modeltiers", "routingpolicies", "taskprofiles")
CERTIFICATES: Final = "farebox-tls"
"""The Secret that the controllers share."""

BUNDLE: Final = "farebox-ca"
"""The ConfigMap in each labelled namespace."""

INJECTOR: Final = "farebox-injector"
"""The MutatingWebhookConfiguration."""

RIGHTS: Final = (
    *(
        Right(
            group=GROUP,
            resource=kind,
            verbs=("list", "watch"),
            why="what is to be enforced",
            module="resources",
        )
        for kind in KINDS
    ),
    *(
        Right(
            group=GROUP,
            resource=f"{kind}/status",
            verbs=("patch",),
            why="what became of it; never the spec",
            module="statuses",
        )
        for kind in KINDS
    ),
    Right(
        group="",
        resource="pods",
        verbs=("list", "watch"),
        why="labels decide which pools a sidecar draws on, addresses whether it is that pod",
        module="pods",
    ),
    Right(
        group="",
        resource="namespaces",
        verbs=("list", "watch"),
        why="which are labelled: they get the CA, and their annotations are defaults of their pods",
        module="bundles",
    ),
    Right(
        group="authentication.k8s.io",
        resource="tokenreviews",
        verbs=("create",),
        why="whether a sidecar's token is genuine, and whose pod's it is",
        module="identity",
    ),
    Right(
        group="events.k8s.io",
        resource="events",
        verbs=("create", "patch"),
        why="what happened, shown by kubectl describe; a patch counts what happens again",
        module="happenings",
    ),
    Right(
        group="",
        resource="configmaps",
        verbs=("create", "list", "watch", "patch", "delete"),
        names=(BUNDLE,),
        why="the CA that sidecars trust, in each labelled namespace; no other ConfigMap",
        module="bundles",
    ),
    Right(
        group="rbac.authorization.k8s.io",
        resource="clusterroles",
        verbs=("get",),
        names=(SERVICE,),
        why="its uid: those ConfigMaps belong to it, and go when the release goes",
        module="bundles",
    ),
    Right(
        group="admissionregistration.k8s.io",
        resource="mutatingwebhookconfigurations",
        verbs=("list", "watch", "patch"),
        names=(INJECTOR,),
        why="the CA that the API server checks the webhook against; no other webhook",
        module="webhook",
        injecting=True,
    ),
    Right(
        group="",
        resource="secrets",
        verbs=("get", "update"),
        names=(CERTIFICATES,),
        scope=Scope.OWN,
        why="CA and certificate that the controllers share; the chart makes it empty",
        module="tls",
    ),
)
"""Every right; `kubectl auth can-i --list` as the controllers' service account shows the same, and
what every service account may do besides."""
