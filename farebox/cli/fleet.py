"""The processes of a standalone Farebox: what each is called with and where it keeps what.

The one rule: everything of one run lies in one state folder, named after the process it belongs to.
This module must not know when they are started or ended.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from farebox.cli.processes import Child, Port, Program
from farebox.core.money import Nanos, format_dollars
from farebox.core.tiers import Capability, Catalogue, Model
from farebox.core.usage import UsageKind

PROVIDER_VARIABLE: Final = "FAREBOX_DEMO_PROVIDER"
"""What manifests write in a baseURL for the simulated provider's address."""

SIDECAR_GRACE_MS: Final = 10_000
"""How long a sidecar that is stopped lets open calls run; less than `STOP_GRACE_S_MAX`."""

CONTROLLER: Final = "controller"
PROVIDER: Final = "provider"
_REASONING_TOKENS: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What a sidecar is told about the pod it stands beside."""

    name: str
    namespace: str = "default"
    labels: Mapping[str, str] = field(default_factory=dict)


def controller(state: Path, *, manifests: Path, variables: Mapping[str, str]) -> Program:
    """The controller, reading a folder of manifests."""
    named = ",".join("=".join(pair) for pair in variables.items())
    return Program(
        name=CONTROLLER,
        module="controller",
        arguments=(
            *("--manifests", str(manifests)),
            *("--state", str(state / "controller.sqlite")),
            *(("--variables", named) if named else ()),
        ),
        ports=(Port(flag="--listen", fact="grpc"), Port(flag="--admin", fact="admin")),
    )


def sidecar(
    state: Path, *, pod: Pod, controller_port: int, port: int = 0, keep_prompts: bool = False
) -> Program:
    """The sidecar of one pod; `port` 0 takes a free one."""
    return Program(
        name=pod.name,
        module="sidecar",
        arguments=(
            *("--controller", f"127.0.0.1:{controller_port}"),
            *("--journal", str(state / f"{pod.name}.journal")),
            *("--receipts", str(receipts_of(state, pod))),
            *("--namespace", pod.namespace),
            *("--name", pod.name),
            *("--grace-ms-max", str(SIDECAR_GRACE_MS)),
            *("--labels", ",".join(f"{name}={value}" for name, value in pod.labels.items())),
            *(("--keep-prompts", "true") if keep_prompts else ()),
        ),
        ports=(
            Port(flag="--listen", fact="http", first=port),
            Port(flag="--admin", fact="admin"),
        ),
    )


def provider(state: Path, config: Mapping[str, Any]) -> Program:
    """The simulated provider; its configuration is written to the state folder (JSON is YAML)."""
    path = state / "provider.yaml"
    path.write_text(json.dumps(config, indent=2))
    return Program(
        name=PROVIDER,
        module="farebox.simulated",
        arguments=("--config", str(path), "--ledger", str(ledger_of(state))),
        ports=(Port(flag="--port", fact="port", shape="{}"),),
    )


def base_url(child: Child) -> str:
    """What a program exports as OPENAI_BASE_URL to go through this sidecar."""
    return f"http://127.0.0.1:{child.facts['http']}/openai/v1"


def provider_variables(child: Child) -> dict[str, str]:
    """What the manifests' placeholder stands for while this simulated provider runs."""
    return {PROVIDER_VARIABLE: f"http://127.0.0.1:{child.facts['port']}/v1"}


def receipts_of(state: Path, pod: Pod) -> Path:
    return state / f"{pod.name}.receipts.jsonl"


def ledger_of(state: Path) -> Path:
    return state / "provider.ledger.jsonl"


def provider_config(
    catalogue: Catalogue,
    *,
    latency_ms: int = 0,
    faults: Mapping[str, float] | None = None,
    outcomes: Path | None = None,
) -> dict[str, Any]:
    """A configuration of the simulated provider that has every model of the tiers at its price.

    The models of the lowest tier answer after `latency_ms`, those of each further one so much
    later again. `faults` is the provider's own mix, `outcomes` a book of foreseen answers.
    """
    models = [
        _model_config(model, latency_ms * number)
        for number, tier in enumerate(catalogue.tiers, start=1)
        for model in tier.models
    ]
    return {
        "models": models,
        "tokenizer": "Pieces",
        "faults": {"mix": dict(faults or {})},
        "outcomes": str(outcomes.resolve()) if outcomes is not None else "",
    }


def _model_config(model: Model, latency_ms: int) -> dict[str, Any]:
    rates = model.price.rates
    thinks = Capability.REASONING in model.capabilities
    return {
        "name": model.upstream_name,
        "inputPerMillion": _dollars(rates.of(UsageKind.INPUT)),
        "cachedInputPerMillion": _dollars(rates.of(UsageKind.CACHED_INPUT)),
        "outputPerMillion": _dollars(rates.of(UsageKind.OUTPUT)),
        "contextWindow": model.context_window,
        "latencyMs": latency_ms,
        "reasoningTokens": _REASONING_TOKENS if thinks else 0,
    }


def _dollars(rate: int) -> str:
    """A rate in nano-dollars per million as the decimal dollars that the provider reads.

    The provider knows six decimals and the rest is cut: it may bill less than the price, not more.
    """
    return format_dollars(Nanos(rate), 6)
