"""`farebox audit`: which tasks exist, how they are recognised, and what each lacks.

The one rule: it changes nothing; what it proposes is written only where the user says.
"""

import asyncio
from pathlib import Path

import yaml

from farebox.after.scorer import with_scorer
from farebox.cli.rehearsals import samples_of, seen_in_prompts, seen_in_receipts
from farebox.cli.resources import read_resources
from farebox.cli.tables import dollars, make_console, sheet
from farebox.core.policy import Policy
from farebox.core.tasks import RoutingPolicy
from farebox.launch.audit import Audit, audit, proposed_profiles


async def run_audit(
    manifests: Path,
    *,
    namespace: str,
    receipts: Path | None,
    prompts: Path | None,
    out: Path | None,
    weights: Path | None = None,
) -> int:
    """Show the audit; exit status 0."""
    resources = read_resources(manifests)
    tasks = resources.tasks.get(namespace, ())
    routing = resources.routing.get(namespace, RoutingPolicy())
    policy = Policy(catalogue=resources.catalogue, tasks=tasks, routing=routing)
    if receipts is not None:
        found = audit(seen_in_receipts(receipts), tasks)
    elif prompts is not None:
        scored, problem = with_scorer(policy, weights)
        if problem:
            print(problem)
        found = audit(seen_in_prompts(samples_of(prompts), scored), tasks)
    else:
        found = audit((), tasks)
    _show(found)
    proposed = proposed_profiles(found, resources.catalogue.tiers, namespace)
    text = yaml.safe_dump_all(proposed, sort_keys=False) if proposed else ""
    if out is not None and proposed:
        await asyncio.to_thread(out.write_text, text, "utf-8")
        print(f"Proposed TaskProfiles are in {out}: check them, add gates, and profile.")
    elif proposed:
        print(f"Proposed, to be checked (--out FILE keeps it):\n{text}")
    return 0


def _show(found: Audit) -> None:
    console = make_console()
    console.print(
        sheet(
            "Tasks",
            ("task", ">calls", ">share", ">cost", "recognised by", "tier", "lacks"),
            [
                (
                    task.task or "(not recognised)",
                    task.calls,
                    f"{task.calls * 100 // found.calls} %" if found.calls else "-",
                    dollars(task.cost),
                    ", ".join(f"{how} {count}" for how, count in task.recognised.items()) or "-",
                    task.profile.default_tier if task.profile else "-",
                    ", ".join(task.lacks) or "nothing",
                )
                for task in found.tasks
            ],
        )
    )
    if found.calls:
        share = found.untagged * 100 // found.calls
        console.print(
            f"{found.untagged} of {found.calls} calls ({share} %) are not told by a tag or a rule; "
            "what an application says of itself is worth more than any guess."
        )
