"""Proposals as manifests: the user's own documents with the proposed fields in them.

The one rule: what is written is read back before anybody sees it; the user's files are only read.
This module must not know why anything is proposed.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from farebox.after.manifests import read_offline
from farebox.after.problems import AfterError
from farebox.after.retune import Proposal
from farebox.core.instant import UtcMs
from farebox.core.money import Nanos, format_dollars
from farebox.core.tasks import Baseline
from farebox.launch.rewriting import decimal
from farebox.manifests.folder import manifest_files
from farebox.manifests.resources import Kind

_NAMESPACE: Final = "default"
_API: Final = "farebox.dev/v1alpha1"


def manifest_of(proposed: Sequence[Proposal], folder: Path, *, namespace: str, now: UtcMs) -> str:
    """One YAML text with a document for each proposal, each with its reason and its effect."""
    known = {(one["kind"], one["metadata"]["name"]): one for one in _documents(folder, namespace)}
    parts = [_part(one, known, namespace) for one in proposed]
    text = "".join(parts)
    _check(text, folder, parts, now=now)
    return text


def effect_of(effect: Nanos | None) -> str:
    """What a change does to a month's bill, in words."""
    if effect is None:
        return "the effect on the bill can't be told from these receipts"
    if not effect:
        return "no effect on the bill"
    return (
        f"about ${format_dollars(Nanos(abs(effect)), 2)} {'more' if effect > 0 else 'less'} a month"
    )


def _documents(folder: Path, namespace: str) -> Iterator[dict[str, Any]]:
    for file in manifest_files(folder):
        for document in yaml.safe_load_all(file.read_text("utf-8")):
            if document and document["metadata"].get("namespace", _NAMESPACE) == namespace:
                yield document


def _part(
    proposal: Proposal, known: Mapping[tuple[str, str], dict[str, Any]], namespace: str
) -> str:
    of_task = proposal.quality is None
    kind = Kind.TASK_PROFILE if of_task else Kind.ROUTING_POLICY
    document = known.get((kind, proposal.name)) or _new(kind, proposal.name, namespace)
    changed = {**document, "spec": {**(document.get("spec") or {}), **_fields(proposal)}}
    if proposal.tier is not None and proposal.baseline is None:
        # What was measured on the tier before says nothing about this one.
        changed["spec"].pop("baseline", None)
    text = yaml.safe_dump(changed, sort_keys=False, allow_unicode=True, width=100)
    heading = f"# {proposal.change}: {proposal.reason}\n# {effect_of(proposal.effect)}\n"
    return f"---\n{heading}{text}"


def _fields(proposal: Proposal) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if proposal.tier is not None:
        fields["defaultTier"] = proposal.tier
    if proposal.quality is not None:
        fields["quality"] = proposal.quality
    if proposal.baseline is not None:
        fields["baseline"] = _baseline(proposal.baseline)
    return fields


def _baseline(baseline: Baseline) -> dict[str, Any]:
    return {
        "measured": baseline.measured,
        "samples": baseline.samples,
        "catalogue": baseline.catalogue,
        "passRates": {tier: decimal(rate) for tier, rate in baseline.pass_rates},
        "escalationRate": decimal(baseline.escalation_rate),
        "difficulties": [decimal(share) for share in baseline.difficulties],
    }


def _new(kind: Kind, name: str, namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": _API,
        "kind": kind.value,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {},
    }


def _check(text: str, folder: Path, parts: Sequence[str], *, now: UtcMs) -> None:
    """Read what is proposed as if it stood in the folder, in place of what is there."""
    changed = {(one["kind"], one["metadata"]["name"]) for one in map(_parsed, parts)}
    with tempfile.TemporaryDirectory() as place:
        for file in manifest_files(folder):
            kept = [
                one
                for one in yaml.safe_load_all(file.read_text("utf-8"))
                if one and (one["kind"], one["metadata"]["name"]) not in changed
            ]
            Path(place, file.name).write_text(yaml.safe_dump_all(kept, sort_keys=False), "utf-8")
        Path(place, "zz-proposed.yaml").write_text(text, "utf-8")
        try:
            read_offline(Path(place), now=now)
        except AfterError as error:
            raise AfterError(
                f"What would be proposed is not sound, a fault of Farebox:\n{error}"
            ) from error


def _parsed(part: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(part)
    return document
