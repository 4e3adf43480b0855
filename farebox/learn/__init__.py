"""Learning to route from outcomes: data, metrics, training. Needs the extra `learn` (numpy).

Read in this order: `outcomes` (which model answered which prompt rightly), `pairs` (the pools and
their prices), `curves`, `savings`, `accuracy` and `cascades` (the metrics), `encoding`, `heads`,
`teaching`, `training` and `packing` (from outcomes to weights), `rules` (what the shape of a prompt
decides alone). The one rule: nothing here runs while a call waits; a sidecar reads weights with
`farebox.core.scoring` only.
"""
