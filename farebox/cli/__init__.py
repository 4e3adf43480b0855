"""The command line: `farebox up`, `replay`, `top` and `demo`.

Read in this order: `main` (arguments), `up`, `replay`, `top`, `demo` (one module a command), then
what they share: `processes` (child processes), `fleet` (which ones there are), `prompts`, `calls`
(sending), `progress`, `resources` (manifests), `admin` (questions), `records` (what the processes
wrote), `reports` (figures), `verdicts`, `tables` (paper).
The one rule: the applications are started as processes and asked over HTTP, never imported.
"""
