{{/* The file of --injection. */}}
{{- define "farebox.injection" -}}
{{- $sidecar := .Values.sidecar -}}
image: {{ include "farebox.image" (dict "root" . "image" $sidecar.image) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
imagePullSecrets: {{ toJson $sidecar.pullSecrets }}
runAsUser: {{ $sidecar.runAsUser }}
controllers: {{ include "farebox.controllers" . }}
tokenExpirationSeconds: {{ $sidecar.tokenSeconds }}
resources:
  {{- toYaml $sidecar.resources | nindent 2 }}
stateSizeLimit: {{ $sidecar.stateSize }}
logLevel: {{ $sidecar.logLevel }}
receipts: {{ $sidecar.receipts }}
ports:
  {{- toYaml $sidecar.ports | nindent 2 }}
baseUrls: {{ toJson $sidecar.baseUrls }}
providers:
  {{- toYaml $sidecar.providers | nindent 2 }}
env:
  {{- toYaml $sidecar.env | nindent 2 }}
keys: {{ toJson $sidecar.keys }}
startAfter: {{ toJson $sidecar.startAfter }}
excludedNamespaces: {{ toJson .Values.webhook.excludedNamespaces }}
{{- end }}
