{{/* Labels of an object. Takes a dict: root, component ("" for those of all). */}}
{{- define "farebox.labels" -}}
app.kubernetes.io/name: farebox
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: farebox
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Metadata of an object. Takes a dict: root, name, component, and where it has them namespaced,
     annotations, labels. */}}
{{- define "farebox.metadata" -}}
name: {{ .name }}
{{- if .namespaced }}
namespace: {{ .root.Release.Namespace }}
{{- end }}
labels:
  {{- include "farebox.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Labels by which pods are selected; they never change. Takes a dict: root, component. */}}
{{- define "farebox.selector" -}}
app.kubernetes.io/name: farebox
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* An image's full name. Takes a dict: root, image. */}}
{{- define "farebox.image" -}}
{{- with .root.Values.image.registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{ .image.repository }}
{{- if .image.digest -}}
@{{ .image.digest }}
{{- else -}}
:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* The names and ports of the controllers, as a JSON list. */}}
{{- define "farebox.controllers" -}}
{{- $addresses := list -}}
{{- range $number := until (int .Values.controller.replicas) -}}
{{- $addresses = append $addresses (printf "farebox-controller-%d.farebox-controller.%s.svc:7447" $number $.Release.Namespace) -}}
{{- end -}}
{{ toJson $addresses }}
{{- end }}

{{/* The names of the members of the chart's etcd, as a JSON list. */}}
{{- define "farebox.etcd.members" -}}
{{- $names := list -}}
{{- range $number := until (int .Values.etcd.members) -}}
{{- $names = append $names (printf "farebox-etcd-%d" $number) -}}
{{- end -}}
{{ toJson $names }}
{{- end }}

{{/* HOST:PORT of each member of the etcd in use, as a JSON list. */}}
{{- define "farebox.etcd.endpoints" -}}
{{- $endpoints := .Values.etcd.external.endpoints -}}
{{- if .Values.etcd.enabled -}}
{{- $endpoints = list -}}
{{- range include "farebox.etcd.members" . | fromJsonArray -}}
{{- $endpoints = append $endpoints (printf "%s.farebox-etcd.%s.svc:2379" . $.Release.Namespace) -}}
{{- end -}}
{{- end -}}
{{ toJson $endpoints }}
{{- end }}

{{/* Names of the Secrets with certificates for and from etcd. */}}
{{- define "farebox.etcd.memberSecret" -}}
{{ .Values.etcd.tls.memberSecret | default "farebox-etcd-tls" }}
{{- end }}
{{- define "farebox.etcd.clientSecret" -}}
{{- if .Values.etcd.enabled -}}
{{ .Values.etcd.tls.clientSecret | default "farebox-etcd-client" }}
{{- else -}}
{{ .Values.etcd.external.tlsSecret }}
{{- end -}}
{{- end }}

{{/* "true" where the chart makes the certificates of its etcd. */}}
{{- define "farebox.etcd.issues" -}}
{{- if and .Values.etcd.enabled (not .Values.etcd.tls.memberSecret) }}true{{ end -}}
{{- end }}

{{/* When the certificates in force were made, in seconds since 1970; now, where they are due. All who ask
     in one rendering are told the same. */}}
{{- define "farebox.etcd.issued" -}}
{{- if not (hasKey .Values.etcd.tls "_issued") -}}
{{- $now := now | unixEpoch -}}
{{- $made := lookup "v1" "Secret" .Release.Namespace "farebox-etcd-tls" | default dict -}}
{{- $issued := dig "metadata" "annotations" "farebox.dev/issued" "0" $made -}}
{{- $due := add (int64 $issued) (mul (int64 .Values.etcd.tls.renewAfterDays) 86400) -}}
{{- $_ := set .Values.etcd.tls "_issued" (ternary $issued $now (gt $due (int64 $now))) -}}
{{- end -}}
{{- .Values.etcd.tls._issued }}
{{- end }}
