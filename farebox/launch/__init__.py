"""Before launch: what tasks there are, which tier is good enough for each, what that will cost.

The files in the order of a launch: `audit` (which tasks exist), `samples` (prompts to try),
`paying` (one paid call: `till` holds the money, `results` remembers it, `provider` makes it),
`judging` (gates), `battery` (every sample on every tier), `measures`, `proposals` and `profiling`
(what that says), `profiles` (kept as profile.json), `rewriting` (manifests to apply), `pictures`
and `report`, `projection` (dollars a month), `checklist` (is all of it done), `training` (weights
of one's own).

The one rule: nothing is paid for twice, and nothing is called before its worst case is held.
"""
