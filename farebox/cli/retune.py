"""`farebox retune`: what to change in the manifests, from what really happened.

The one rule: the manifests are only read; a proposal goes to a file of its own, or to the screen,
with one line of reason and its expected effect on a month's bill.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from farebox.after.documents import effect_of, manifest_of
from farebox.after.manifests import policy_of, read_offline
from farebox.after.measured import scored_low, tasks_seen
from farebox.after.receipts import Receipts, read_receipts
from farebox.after.retune import Ground, Proposal, proposals, quality_proposal
from farebox.after.scorer import with_scorer
from farebox.cli.tables import make_console, sheet
from farebox.core.instant import format_utc
from farebox.core.opinions import threshold_named
from farebox.core.policy import Policy
from farebox.launch.profiles import Profile, read_profile
from farebox.runtime.clock import SystemClock


async def run_retune(
    manifests: Path,
    *,
    receipts: Sequence[Path],
    profile: Path | None,
    namespace: str,
    out: Path | None,
    weights: Path | None,
) -> int:
    """Show what should change; exit status 0, also when that is nothing."""
    now = SystemClock().utc()
    policy = policy_of(read_offline(manifests, now=now), namespace=namespace, labels={})
    read = await asyncio.to_thread(read_receipts, receipts)
    measured = None if profile is None else read_profile(profile)
    proposed = proposed_for(policy, read, profile=measured, weights=weights)
    _show(policy, read, proposed)
    if proposed:
        text = manifest_of(proposed, manifests, namespace=namespace, now=now)
        if out is not None:
            await asyncio.to_thread(out.write_text, text, "utf-8")
            print(f"The proposed manifests are in {out}: look at them, and apply what convinces.")
        else:
            print(text, end="")
    return 0


def proposed_for(
    policy: Policy, read: Receipts, *, profile: Profile | None, weights: Path | None
) -> list[Proposal]:
    """All proposals for a namespace."""
    ground = Ground(
        catalogue=policy.catalogue,
        routing=policy.routing,
        today=format_utc(read.last_at)[:10],
        span_ms=read.span_ms,
        profile=profile,
    )
    found = list(proposals(policy.tasks, tasks_seen(read.calls), ground))
    quality = _quality(policy, read, weights)
    return found if quality is None else [*found, quality]


def _quality(policy: Policy, read: Receipts, weights: Path | None) -> Proposal | None:
    scorer = with_scorer(policy, weights)[0].scorer
    if scorer is None:
        return None
    prefix = threshold_named("")
    known = [name.removeprefix(prefix) for name in scorer.thresholds if name.startswith(prefix)]
    boundary = policy.routing.boundary_difficulty
    cheap = frozenset(
        tier.name for tier in policy.catalogue.tiers if tier.max_difficulty <= boundary
    )
    return quality_proposal(scored_low(read.calls, cheap), known, policy.routing)


def _show(policy: Policy, read: Receipts, proposed: Sequence[Proposal]) -> None:
    console = make_console()
    seen = tasks_seen(read.calls)
    console.print(
        sheet(
            "What the receipts measure",
            ("task", "tier", ">first answers", ">pass", "95 % interval", ">mean cost n$"),
            [
                (
                    task.name,
                    tier.name + (" (default)" if tier.name == task.default_tier else ""),
                    of.first.of,
                    f"{of.first.value / 10:.1f} %",
                    f"{of.first.low / 10:.1f} to {of.first.high / 10:.1f} %",
                    of.mean_cost,
                )
                for task in policy.tasks
                if task.name in seen
                for tier in policy.catalogue.tiers
                if (of := seen[task.name].tiers.get(tier.name)) is not None
            ],
        )
    )
    if read.unread:
        console.print(f"{read.unread} lines were no receipts of this version.")
    if not proposed:
        console.print("Nothing to change: what was measured is still true, or there is too little.")
        return
    console.print(
        sheet(
            "Proposed",
            ("what", "of", "why", "a month"),
            [(one.change, one.name, one.reason, effect_of(one.effect)) for one in proposed],
        )
    )
