"""Reads the file of --injection.

The one rule: the file is checked whole, and every mistake is one sentence with its line; a file
with a mistake injects nothing. This module must not know pods.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from controller.injection.keys import ENTRY, KEYS_MAX, SECRET, VARIABLE, Key
from controller.injection.quantities import CPU, MEMORY, STATE, size_of
from controller.injection.settings import (
    MESHES,
    NEVER_TOUCHED,
    OWN_VARIABLES,
    PROVIDERS,
    USER,
    LogLevel,
    Ports,
    PullPolicy,
    Settings,
    Sizes,
)
from farebox.manifests.documents import Document, Scalar, Written, read_documents
from farebox.manifests.fields import Fields, Report
from farebox.manifests.scalars import (
    LABEL,
    NAME,
    NAMESPACE,
    TRUTH,
    Reader,
    Unfit,
    choice,
    described,
    did_you_mean,
    text,
    whole,
)
from farebox.runtime.endpoints import EndpointError, parse_host

USER_MAX: Final = 2**31 - 1


class SettingsError(Exception):
    """The file can't be used; `mistakes` has one sentence for each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


def _controller(scalar: Scalar) -> str:
    try:
        return str(parse_host(scalar.text))
    except EndpointError:
        raise Unfit(f"is {described(scalar)}: write {_CONTROLLER.wanted}") from None


def _user(scalar: Scalar) -> int:
    if scalar.text == "Image" and scalar.written is Written.TEXT:
        return 0
    try:
        return _UID.read(scalar)
    except Unfit as unfit:
        raise Unfit(f"{unfit}, or Image") from None


_CONTROLLER: Final = Reader(
    wanted='HOST:PORT of a controller, for example "farebox-controller-0.farebox-controller'
    '.farebox.svc:7447"',
    read=_controller,
    stand_in="",
)
_IMAGE: Final = text(
    r"[A-Za-z0-9][A-Za-z0-9._:/@-]*", 'an image, for example "registry.example/farebox-sidecar:1"'
)
_UID: Final = whole(1, USER_MAX)
_USER: Final = Reader(wanted=f"{_UID.wanted}, or Image", read=_user, stand_in=1)
_SECONDS: Final = whole(600, 86_400)
_PORT: Final = whole(1_024, 65_535)
_PULL_POLICY: Final = choice(PullPolicy)
LOG_LEVEL: Final = choice(LogLevel)
_VARIABLE: Final = text(
    r"[A-Za-z_][A-Za-z0-9_]*", 'the name of a variable, for example "OPENAI_BASE_URL"'
)
_PATH: Final = text(r"/[A-Za-z0-9._~/-]*", 'a path, for example "/openai/v1"')
_VALUE: Final = text(r"[ -~]*", "the value as text in quotes")


def read_settings(file: str, content: str, *, audience: str, own_namespace: str) -> Settings:
    """Read the text of a file. Raises SettingsError with every mistake there is."""
    found = read_documents(file, content)
    mistakes = [str(problem) for problem in found.problems]
    if not mistakes and len(found.documents) != 1:
        mistakes = [f"{file}: has {len(found.documents)} documents: write one"]
    if mistakes:
        raise SettingsError(mistakes)
    (document,) = found.documents
    report = Report(document=document)
    settings = _read(document, report, audience, own_namespace)
    if report.problems or settings is None:
        raise SettingsError([str(problem) for problem in report.problems])
    return settings


def _read(document: Document, report: Report, audience: str, own_namespace: str) -> Settings | None:
    if not isinstance(document.content, dict):
        report.add("", "is no group of fields: write image, controllers and what else is needed")
        return None
    top = Fields(report, "", document.content)
    user = top.one("runAsUser", _USER, USER)
    providers = _providers(top)
    settings = Settings(
        image=top.one("image", _IMAGE),
        controllers=_controllers(top),
        audience=audience,
        pull_policy=top.one("imagePullPolicy", _PULL_POLICY, PullPolicy.IF_NOT_PRESENT),
        pull_secrets=top.many("imagePullSecrets", NAME),
        user=user or None,
        token_seconds=top.one("tokenExpirationSeconds", _SECONDS, 3_600),
        sizes=_sizes(top.section("resources")),
        state_size=top.one("stateSizeLimit", STATE, "160Mi"),
        log_level=top.one("logLevel", LOG_LEVEL, LogLevel.INFO),
        receipts=_switch(top, "receipts"),
        ports=_ports(top),
        base_urls=_base_urls(top, providers),
        providers=providers,
        env=_env(top),
        keys=_keys(top),
        start_after=top.many("startAfter", LABEL) if top.has("startAfter") else MESHES,
        untouched=NEVER_TOUCHED | {own_namespace, *top.many("excludedNamespaces", NAMESPACE)},
    )
    top.close()
    return settings


def _controllers(top: Fields) -> tuple[str, ...]:
    controllers = top.many("controllers", _CONTROLLER)
    if not controllers and top.is_sound("controllers"):
        top.problem("controllers", f"is missing: write a list of {_CONTROLLER.wanted}")
    return controllers


def _switch(top: Fields, name: str) -> bool:
    """True when it is absent."""
    value = top.optional(name, TRUTH)
    return True if value is None else value


def _sizes(group: Fields) -> Sizes:
    plain = Sizes()
    requests, limits = group.section("requests"), group.section("limits")
    memory_limit = limits.optional("memory", MEMORY)
    sizes = Sizes(
        cpu=requests.one("cpu", CPU, plain.cpu),
        memory=requests.one("memory", MEMORY, plain.memory),
        cpu_limit=limits.optional("cpu", CPU),
        memory_limit=memory_limit if group.has("limits") else plain.memory_limit,
    )
    for name, least, most in (
        ("cpu", sizes.cpu, sizes.cpu_limit),
        ("memory", sizes.memory, sizes.memory_limit),
    ):
        if most is not None and size_of(most) < size_of(least):
            limits.problem(name, f"is {most}, less than the {least} that is requested: raise it")
    for part in (requests, limits, group):
        part.close()
    return sizes


def _ports(top: Fields) -> Ports:
    group, plain = top.section("ports"), Ports()
    ports = Ports(
        listen=group.one("listen", _PORT, plain.listen),
        admin=group.one("admin", _PORT, plain.admin),
        probes=group.one("probes", _PORT, plain.probes),
    )
    group.close()
    if len(set(ports.all)) < len(ports.all):
        top.problem("ports", "has the same port twice: write three different ones")
    return ports


def _providers(top: Fields) -> Mapping[str, Mapping[str, str]]:
    if not top.has("providers"):
        return PROVIDERS
    group, written = top.section("providers"), top.node("providers")
    found = {}
    for name in written if isinstance(written, dict) else ():
        found[name] = group.text_map(name, _VARIABLE, _PATH)
        try:
            LABEL.read(Scalar(name, Written.TEXT))
        except Unfit as unfit:
            group.problem(name, str(unfit))
        if not found[name] and group.is_sound(name):
            group.problem(name, "names no variable: write one, such as OPENAI_BASE_URL: /openai/v1")
    return found


def _base_urls(top: Fields, providers: Mapping[str, object]) -> tuple[str, ...]:
    names = top.many("baseUrls", LABEL)
    for name in names:
        if name not in providers and top.is_sound("baseUrls"):
            top.problem(
                "baseUrls", f'"{name}" is not among the providers: {did_you_mean(name, providers)}'
            )
    return names


def _env(top: Fields) -> Mapping[str, str]:
    env = top.text_map("env", _VARIABLE, _VALUE)
    for name in sorted(OWN_VARIABLES.intersection(env)):
        top.problem(f"env.{name}", "is set by the injection itself: leave it out")
    return env


def _keys(top: Fields) -> tuple[Key, ...]:
    if top.node("keys") == []:
        return ()
    groups = top.sections("keys", required=False)
    if len(groups) > KEYS_MAX:
        top.problem("keys", f"has {len(groups)} entries: write at most {KEYS_MAX}")
    written = top.node("env")
    taken = set(written) if isinstance(written, dict) else set()
    found = []
    for group in groups:
        key = Key(
            name=group.one("name", VARIABLE),
            secret=group.one("secretName", SECRET),
            entry=group.one("secretKey", ENTRY),
            optional=group.optional("optional", TRUTH) or False,
        )
        if key.name in taken and group.is_sound("name"):
            group.problem("name", f"is {key.name} for the second time, here or in env: keep one")
        taken.add(key.name)
        group.close()
        found.append(key)
    return tuple(found)
