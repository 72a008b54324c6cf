"""One example per kind, for the reference; tests hold that they parse."""

from __future__ import annotations

EXAMPLES: dict[str, str] = {
    "ModelProvider": """\
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata:
  name: openai
  namespace: team-red
spec:
  type: OpenAI
  endpoints:
    - name: primary
      url: https://api.openai.com/v1
  credentials:
    secretRef: {name: openai-key, key: api-key}
  models:
    - name: gpt-4-turbo
      version: gpt-4-1106-preview
      capabilities: [TextGeneration, Tools, JSONMode, Streaming]
      contextWindowTokens: 128000
      maxOutputTokens: 4096
      prices:
        - effectiveTime: "2024-04-09T00:00:00Z"
          inputUSDPerMillionTokens: "10"
          outputUSDPerMillionTokens: "30"
      compliance: [GDPR]
  timeouts: {firstByteSeconds: 30}
  allowedNamespaces: {from: All}
""",
    "RoutingPolicy": """\
apiVersion: fairlead.dev/v1alpha1
kind: RoutingPolicy
metadata:
  name: creative
  namespace: team-red
spec:
  priority: 100
  match:
    agentTypes: [creative]
  strategy: Weighted
  targets:
    - name: main
      modelRef: {providerRef: {name: openai}, model: gpt-4-turbo}
      weight: 70
    - name: small
      modelRef: {providerRef: {name: local}, model: llama-3-8b}
      weight: 30
  fallbacks:
    - "on": [Error, Timeout, RateLimited]
      modelRef: {providerRef: {name: anthropic, namespace: platform}, model: claude-sonnet}
  canary:
    modelRef: {providerRef: {name: openai}, model: gpt-4o}
    weightPercent: 5
  affinity: {unit: Session}
  constraints:
    compliance: [GDPR]
  retries: {attempts: 2, perAttemptSeconds: 30, totalSeconds: 60}
""",
    "ABTest": """\
apiVersion: fairlead.dev/v1alpha1
kind: ABTest
metadata:
  name: turbo-or-small
  namespace: team-red
spec:
  policyRef: {name: creative}
  arms:
    - name: control
      modelRef: {providerRef: {name: openai}, model: gpt-4-turbo}
      weightPercent: 80
    - name: small
      modelRef: {providerRef: {name: local}, model: llama-3-8b}
      weightPercent: 20
  startTime: "2026-03-01T00:00:00Z"
  endTime: "2026-03-15T00:00:00Z"
  metrics:
    - {name: Quality, role: Primary, minDetectablePercent: 3}
    - {name: LatencyMilliseconds, role: Guardrail, maxRegressionPercent: 10}
""",
    "WorkspaceBudget": """\
apiVersion: fairlead.dev/v1alpha1
kind: WorkspaceBudget
metadata:
  name: marketing
  namespace: team-red
spec:
  workspace: ws-marketing-001
  allowedModels:
    - {providerRef: {name: openai}, model: gpt-4-turbo}
  compliance: [GDPR]
  constraints:
    regions: [eu]
""",
}
