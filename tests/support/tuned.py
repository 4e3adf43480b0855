"""Small manifests for tests of what comes after launch: tiers, and a task that was measured."""

from farebox.core.instant import UtcMs

NOW = UtcMs(1_790_000_000_000)
TIER = """
apiVersion: farebox.dev/v1alpha1
kind: ModelTier
metadata: {{name: {name}}}
spec:
  rank: {rank}
  maxDifficulty: "{difficulty}"
  models:
    - name: {name}-model
      provider: openai
      baseURL: ${{SOMEWHERE}}
      price: {{input: "1", output: "2"}}
      contextWindow: 128000
      maxOutputTokens: 1024
"""
TASK = """
apiVersion: farebox.dev/v1alpha1
kind: TaskProfile
metadata: {name: intent, labels: {team: a}}
spec:
  match: {headerValues: [intent]}
  defaultTier: small # for now
  gates:
    - {kind: Labels, labels: ["yes", "no"]}
  baseline: {measured: "2026-11-01", samples: 9, catalogue: aaaaaabbbbbb,
    passRates: {small: "0.9"}, escalationRate: "0.1"}
"""
