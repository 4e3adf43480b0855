"""The programs take what the chart gives them: flags, files, certificates."""

import base64
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from controller.config import Config, read_config
from controller.etcd_options import EtcdOptions
from controller.injection.reading import read_settings
from controller.kube.options import PodAddress
from tests.deploy.installations import INSTALLATIONS
from tests.deploy.rendering import NAMESPACE, Rendered, render

FILES: Final = {
    "ca.crt": "CA",
    "tls.crt": "certificate",
    "tls.key": "key",
    "password": "secret",
}
"""What a Secret of those who install holds."""


@pytest.fixture(scope="module", params=INSTALLATIONS)
def installed(request: pytest.FixtureRequest) -> Rendered:
    return render(INSTALLATIONS[request.param])


def configured(installed: Rendered, folder: Path) -> Config:
    """The controller's configuration in the first pod, whose mounts are folders here."""
    spec = installed.one("StatefulSet", "farebox-controller")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["command"] == ["farebox-controller"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    flags = container["args"]
    for mount in container["volumeMounts"]:
        place = folder / mount["name"]
        _fill(installed, volumes[mount["name"]], place)
        flags = [flag.replace(f"={mount['mountPath']}/", f"={place}/") for flag in flags]
    variables = {"POD_NAME": "farebox-controller-0", "POD_NAMESPACE": NAMESPACE}
    flags = [re.sub(r"\$\((\w+)\)", lambda found: variables[found[1]], flag) for flag in flags]
    return read_config(flags, {})


def _fill(installed: Rendered, volume: Mapping[str, Any], folder: Path) -> None:
    folder.mkdir()
    content: Mapping[str, str] = {}
    if "secret" in volume:
        name = volume["secret"]["secretName"]
        made = [one for one in installed.of("Secret") if one["metadata"]["name"] == name]
        content = {
            key: base64.b64decode(text).decode()
            for one in made
            for key, text in one["data"].items()
        } or FILES
    if "configMap" in volume:
        content = installed.one("ConfigMap", volume["configMap"]["name"])["data"]
    for name, text in content.items():
        (folder / name).write_text(text)


def test_the_controller_takes_its_flags(installed: Rendered, tmp_path: Path) -> None:
    config = configured(installed, tmp_path)
    assert config.kube is not None
    assert (config.kube.own_namespace, config.kube.service) == (NAMESPACE, "farebox-controller")
    assert config.kube.pod_address is PodAddress.REQUIRE
    assert config.name == "farebox-controller-0"
    assert config.advertise is not None
    assert str(config.advertise).startswith(f"farebox-controller-0.farebox-controller.{NAMESPACE}.")
    assert config.advertise.host in {*config.kube.names(), *_first_of(config.kube.names())}
    assert (config.kube.webhook is None) == (config.kube.injection is None)
    assert isinstance(config.store, EtcdOptions)
    assert config.store.endpoints
    ports = (config.listen, config.admin, config.kube.probes, config.kube.webhook)
    assert [one.port for one in ports if one] == [7447, 7448, 7449, 9443][: sum(map(bool, ports))]


def _first_of(names: tuple[str, ...]) -> set[str]:
    """The names of the first pod where a certificate has a wildcard."""
    return {name.replace("*", "farebox-controller-0") for name in names}


def test_the_injector_takes_its_settings(installed: Rendered) -> None:
    replicas = installed.one("StatefulSet", "farebox-controller")["spec"]["replicas"]
    for found in installed.of("ConfigMap"):
        if found["metadata"]["name"] == "farebox-injection":
            text = found["data"]["injection.yaml"]
            settings = read_settings(
                "injection.yaml", text, audience="farebox.dev", own_namespace=NAMESPACE
            )
            assert len(settings.controllers) == replicas
            assert "farebox-sidecar" in settings.image


def test_defaults_of_the_chart_are_those_of_the_injector() -> None:
    data = render().one("ConfigMap", "farebox-injection")["data"]["injection.yaml"]
    bare = f"image: farebox-sidecar:0.1.0\ncontrollers: {_controllers(data)}\n"
    here, there = (
        read_settings("injection.yaml", text, audience="farebox.dev", own_namespace=NAMESPACE)
        for text in (data, bare)
    )
    assert here == there


def _controllers(text: str) -> str:
    (found,) = re.findall(r"^controllers: (.*)$", text, re.MULTILINE)
    return str(found)


def certificate(installed: Rendered, secret: str) -> x509.Certificate:
    data = installed.one("Secret", secret)["data"]
    return x509.load_pem_x509_certificate(base64.b64decode(data["tls.crt"]))


@pytest.mark.parametrize("members", [1, 3, 5])
def test_etcd_and_the_controllers_have_certificates_of_one_authority(members: int) -> None:
    installed = render({"etcd": {"members": members, "tls": {"days": 400}}})
    authority = certificate(installed, "farebox-etcd-ca")
    assert authority.not_valid_after_utc - authority.not_valid_before_utc > timedelta(days=3_600)
    for secret, name in (
        ("farebox-etcd-tls", "farebox-etcd"),
        ("farebox-etcd-client", "farebox-controller"),
    ):
        found = certificate(installed, secret)
        found.verify_directly_issued_by(authority)
        assert found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == name
        days = (found.not_valid_after_utc - found.not_valid_before_utc).days
        assert days == 400
        usage = found.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
        assert isinstance(usage, x509.ExtendedKeyUsage)
        assert ExtendedKeyUsageOID.CLIENT_AUTH in usage
        trusted = installed.one("Secret", secret)["data"]["ca.crt"]
        assert trusted == installed.one("Secret", "farebox-etcd-ca")["data"]["tls.crt"]


@pytest.mark.parametrize("members", [1, 3, 5])
def test_the_members_certificate_has_every_name_that_is_called(members: int) -> None:
    installed = render({"etcd": {"members": members}})
    found = certificate(installed, "farebox-etcd-tls")
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    made_out_to = set(names.get_values_for_type(x509.DNSName))
    etcd = installed.one("StatefulSet", "farebox-etcd")["spec"]["template"]["spec"]
    controllers = installed.one("StatefulSet", "farebox-controller")["spec"]["template"]["spec"]
    flags = " ".join([*etcd["containers"][0]["command"], *controllers["containers"][0]["args"]])
    called = set(re.findall(rf"farebox-etcd-\d\.farebox-etcd\.{NAMESPACE}\.svc", flags))
    assert len(called) == members
    assert called <= made_out_to


def test_nobody_mounts_the_key_of_the_authority() -> None:
    for _, template in render().templates():
        for volume in template["spec"]["volumes"]:
            assert volume.get("secret", {}).get("secretName") != "farebox-etcd-ca"


def test_the_secret_that_the_controllers_fill_is_empty() -> None:
    secret = render().one("Secret", "farebox-tls")
    assert not {"data", "stringData", "immutable"} & set(secret)
