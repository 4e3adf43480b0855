"""What the scanner may find in the chart, each with the reason why it stays.

The one rule: the document has the same table, and a finding that is not here fails the tests. This
module must not know how the scanner is run.
"""

from typing import Final

ALLOWED: Final = {
    ("CKV_K8S_11", "StatefulSet farebox-controller"): (
        "no limit for the CPU: a leader that is held up by one can't renew its leadership; "
        "it asks for what it needs"
    ),
    ("CKV_K8S_11", "StatefulSet farebox-etcd"): (
        "no limit for the CPU: a member that is held up misses heartbeats, and etcd "
        "changes its leader"
    ),
    ("CKV_K8S_15", "StatefulSet farebox-controller"): (
        "a release's tag never moves, so a node that has the image need not ask again; "
        "`image.pullPolicy=Always` asks"
    ),
    ("CKV_K8S_15", "StatefulSet farebox-etcd"): "the same",
    ("CKV_K8S_38", "StatefulSet farebox-controller"): (
        "it talks to the API server, so it needs its token; etcd and the service account "
        "itself mount none"
    ),
    ("CKV_K8S_43", "StatefulSet farebox-controller"): (
        "digests are those of your registry: `controller.image.digest` and `sidecar.image.digest`"
    ),
    ("CKV_K8S_43", "StatefulSet farebox-etcd"): "the same: `etcd.image.digest`",
    ("CKV_K8S_155", "ClusterRole farebox-controller"): (
        "the CA of its own webhook is rotated in place; the right is for that one object by name"
    ),
}
"""Check and object to the reason."""
