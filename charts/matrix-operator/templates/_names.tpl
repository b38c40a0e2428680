{{- define "matrix-operator.labels" -}}
app.kubernetes.io/name: matrix-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "matrix-operator.selector" -}}
app.kubernetes.io/name: matrix-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "matrix-operator.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- /* Namespaces whose Secrets and ConfigMaps the operator may watch, as its setting wants them. */ -}}
{{- define "matrix-operator.secretNamespaces" -}}
{{- if .Values.rbac.tenantClusterWide -}}
*
{{- else if .Values.watch.namespaces -}}
{{ join "," .Values.watch.namespaces }}
{{- else -}}
{{ join "," .Values.rbac.tenantNamespaces }}
{{- end -}}
{{- end }}

{{- /* What the operator may do where it is trusted. Never pods/exec, impersonate, escalate, bind, roles or nodes. */ -}}
{{- define "matrix-operator.tenantRules" -}}
{{ include "matrix-operator.ownedWriteRules" . }}
- apiGroups: [""]
  resources: [secrets, configmaps]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: ["", events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{- /* What the operator has to see wherever it watches. */ -}}
{{- define "matrix-operator.watchRules" -}}
- apiGroups: [matrix-operator.dev]
  # patch: the finalizer of deletion.policy Delete must come off after a namespace being deleted has lost its bindings.
  resources: [matrixhomeservers]
  verbs: [get, list, watch, patch]
- apiGroups: [matrix-operator.dev]
  resources: [matrixhomeservers/status]
  verbs: [get, patch]
- apiGroups: [matrix-operator.dev]
  # Owner references that block deletion ask for this.
  resources: [matrixhomeservers/finalizers]
  verbs: [update]
- apiGroups: [""]
  # Whether a namespace is being deleted{{ if not .Values.watch.namespaces }}, and to hear of it at once{{ end }}.
  resources: [namespaces]
  verbs: [get{{ if not .Values.watch.namespaces }}, list, watch{{ end }}]
{{ include "matrix-operator.ownedWatchRules" . }}
{{- end }}
