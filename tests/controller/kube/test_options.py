"""What a controller in a cluster is called, and where it finds out its namespace."""

from pathlib import Path

from controller.kube.options import KubeOptions, checked_kube


def test_certificates_are_made_out_to_the_service_and_the_pods_behind_it() -> None:
    options = KubeOptions(own_namespace="money")

    assert options.names() == (
        "farebox-controller.money.svc",
        "farebox-controller.money.svc.cluster.local",
        "*.farebox-controller.money.svc",
        "*.farebox-controller.money.svc.cluster.local",
    )
    assert options.webhook_names() == (
        "farebox-webhook.money.svc",
        "farebox-webhook.money.svc.cluster.local",
    )
    assert options.own_name().endswith(".farebox-controller.money.svc")


def test_a_pod_finds_its_namespace_beside_its_token(tmp_path: Path) -> None:
    file = tmp_path / "namespace"
    mistakes: list[str] = []

    assert checked_kube({}, mistakes, namespace_file=file) is None
    assert [mistake.split(":")[0] for mistake in mistakes] == ["--own-namespace is missing"]

    file.write_text("money\n")
    mistakes.clear()
    options = checked_kube({}, mistakes, namespace_file=file)
    assert (options.own_namespace if options else "", mistakes) == ("money", [])

    chosen = checked_kube({"own_namespace": "other"}, mistakes, namespace_file=file)
    assert chosen is not None
    assert chosen.own_namespace == "other"
