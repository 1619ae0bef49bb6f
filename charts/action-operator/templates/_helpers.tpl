{{- define "action-operator.selector" -}}
app.kubernetes.io/name: action-operator
app.kubernetes.io/component: operator
{{- end }}

{{/* All pods in which an operator runs, whatever shard it works on. */}}
{{- define "action-operator.pods" -}}
app.kubernetes.io/name: action-operator
actionoperator.dev/runs: operator
{{- end }}

{{- define "action-operator.labels" -}}
app.kubernetes.io/name: action-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: action-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* An object of files/rbac.yaml as it stands there, with the labels of the release and further ones.
     Takes: object, labels (a map), context (the root). */}}
{{- define "action-operator.labelled" -}}
{{- $own := include "action-operator.labels" .context | fromYaml }}
{{- $labels := dict "metadata" (dict "labels" (merge (dict) .labels $own)) }}
{{- mergeOverwrite (deepCopy .object) $labels | toYaml }}
{{- end }}

{{- define "action-operator.image" -}}
{{- with .Values.image -}}
{{- .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ with .digest }}@{{ . }}{{ end }}
{{- end }}
{{- end }}

{{/* "yes" where something for Prometheus or Grafana is wanted. Takes: enabled (true, false, auto), kind (whose presence
     decides where it is auto: group/version/Kind), context (the root). */}}
{{- define "action-operator.monitored" -}}
{{- if or (eq (toString .enabled) "true") (and (eq (toString .enabled) "auto") (.context.Capabilities.APIVersions.Has .kind)) }}yes{{ end }}
{{- end }}

{{/* "yes" where the API server has MutatingAdmissionPolicy; before, clients fill in the names themselves. */}}
{{- define "action-operator.stamps" -}}
{{- if semverCompare ">=1.36-0" .Capabilities.KubeVersion.Version }}yes{{ end }}
{{- end }}
