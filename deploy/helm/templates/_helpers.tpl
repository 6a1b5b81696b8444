{{/* What all pods have in common. */}}

{{- define "tutorq.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "tutorq.labels" -}}
app.kubernetes.io/name: tutorq
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Takes a dict of root and component. */}}
{{- define "tutorq.selector" -}}
app.kubernetes.io/name: tutorq
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "tutorq.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- if hasPrefix "@" $tag }}{{ .Values.image.repository }}{{ $tag }}{{ else }}{{ .Values.image.repository }}:{{ $tag }}{{ end }}
{{- end }}

{{/* What the restricted pod security standard asks for. */}}
{{- define "tutorq.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "tutorq.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "tutorq.environment" -}}
- {name: TUTORQ_SECRETS_DIR, value: /run/secrets}
- {name: TUTORQ_API_URL, value: "http://{{ include "tutorq.name" . }}-api:8000"}
- {name: TUTORQ_DAGSTER_URL, value: "http://{{ include "tutorq.name" . }}-dagster-webserver:3000"}
- {name: TUTORQ_CODE_LOCATION_HOST, value: {{ include "tutorq.name" . }}-code-location}
- {name: TUTORQ_DAGSTER_LOG_IN, value: "true"}
{{- with .Values.ingress }}
- {name: TUTORQ_DASHBOARD_URL, value: "https://{{ .host }}"}
- {name: TUTORQ_PUBLIC_URL, value: "https://{{ .host }}"}
- {name: TUTORQ_TRUSTED_PROXIES, value: {{ .trustedProxies | quote }}}
{{- if .dagsterHost }}
- {name: TUTORQ_DAGSTER_HOSTS, value: {{ .dagsterHost | quote }}}
{{- end }}
{{- end }}
{{- if .Values.models.store }}
- {name: TUTORQ_MODEL_STORE, value: {{ .Values.models.store | quote }}}
{{- end }}
{{- with .Values.oidc }}
{{- if .issuer }}
- {name: TUTORQ_OIDC_ISSUER, value: {{ .issuer | quote }}}
- {name: TUTORQ_OIDC_CLIENT_ID, value: {{ .clientId | quote }}}
{{- if .roleClaim }}
- {name: TUTORQ_OIDC_ROLE_CLAIM, value: {{ .roleClaim | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $value := merge (dict) .Values.settings (dict "TUTORQ_MAIL_PROVIDER" "smtp" "TUTORQ_DRAIN_SECONDS" "5" "TUTORQ_KEEP_ALIVE_SECONDS" "75") }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{/*
A pod. Takes a dict: root, component, resources, command, secrets (names of entries), and optionally port, path (of the
health check), readyPath (of what says when it takes requests, if that is another one), models ("read" or "write"), landing, runLogs ("read" or "write"), dbt, grace (seconds to end in), isHook.
*/}}
{{- define "tutorq.pod" -}}
{{- $root := .root -}}
{{- $home := "/var/lib/tutorq" -}}
metadata:
  labels:
    {{- include "tutorq.selector" . | nindent 4 }}
  annotations:
    checksum/files: {{ $root.Files.Get "files/dagster.yaml" | sha256sum }}
spec:
  {{- if not .isHook }}
  serviceAccountName: {{ include "tutorq.name" $root }}
  {{- end }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext:
    {{- include "tutorq.podSecurity" . | nindent 4 }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .isHook }}
  restartPolicy: Never
  {{- end }}
  {{- if eq .component "api" }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "tutorq.selector" . | nindent 10 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ .grace | default 30 }}
  containers:
    - name: {{ .component }}
      image: {{ include "tutorq.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: {{ toJson .command }}
      securityContext:
        {{- include "tutorq.containerSecurity" . | nindent 8 }}
      env:
        {{- include "tutorq.environment" $root | nindent 8 }}
      resources:
        {{- toYaml .resources | nindent 8 }}
      {{- if .port }}
      ports:
        - {name: main, containerPort: {{ .port }}, protocol: TCP}
      {{- $check := list "bash" "deploy/answers.sh" (toString .port) }}
      {{- if .path }}{{ $check = append $check .path }}{{ end }}
      startupProbe:
        exec: {command: {{ toJson $check }}}
        periodSeconds: 2
        failureThreshold: 90
        timeoutSeconds: 5
      livenessProbe:
        exec: {command: {{ toJson $check }}}
        periodSeconds: 30
        timeoutSeconds: 5
      {{- if .readyPath }}{{ $check = list "bash" "deploy/answers.sh" (toString .port) .readyPath "200" }}{{ end }}
      readinessProbe:
        exec: {command: {{ toJson $check }}}
        periodSeconds: {{ if .readyPath }}5{{ else }}10{{ end }}
        timeoutSeconds: 5
      {{- else if not .isHook }}
      # It listens nowhere. Should it hang, `watch` mails and /api/health says so.
      livenessProbe:
        exec: {command: ["true"]}
        periodSeconds: 60
      {{- end }}
      volumeMounts:
        - {name: secrets, mountPath: /run/secrets, readOnly: true}
        - {name: tmp, mountPath: /tmp}
        - {name: dagster-home, mountPath: {{ $home }}/dagster}
        {{- if not .isHook }}
        - {name: files, mountPath: {{ $home }}/dagster/dagster.yaml, subPath: dagster.yaml, readOnly: true}
        {{- end }}
        {{- if .dbt }}
        - {name: dbt, mountPath: {{ $home }}/dbt}
        {{- end }}
        {{- if .landing }}
        - {name: landing, mountPath: {{ $home }}/landing}
        {{- end }}
        {{- if and .models $root.Values.models.claim }}
        - {name: models, mountPath: {{ $home }}/models, readOnly: {{ ne .models "write" }}}
        {{- end }}
        {{- if and .runLogs $root.Values.runLogs.claim }}
        - {name: run-logs, mountPath: {{ $home }}/dagster/storage, readOnly: {{ ne .runLogs "write" }}}
        {{- end }}
  volumes:
    - name: secrets
      secret:
        secretName: {{ $root.Values.existingSecret }}
        defaultMode: 0440
        items:
          {{- range .secrets }}
          - {key: tutorq_{{ . }}, path: tutorq_{{ . }}}
          {{- end }}
    - {name: tmp, emptyDir: {sizeLimit: 2Gi}}
    - {name: dagster-home, emptyDir: {sizeLimit: 5Gi}}
    {{- if not .isHook }}
    - name: files
      configMap: {name: {{ include "tutorq.name" $root }}-files}
    {{- end }}
    {{- if .dbt }}
    - {name: dbt, emptyDir: {sizeLimit: 1Gi}}
    {{- end }}
    {{- if .landing }}
    - name: landing
      persistentVolumeClaim: {claimName: {{ include "tutorq.name" $root }}-landing}
    {{- end }}
    {{- if and .models $root.Values.models.claim }}
    - name: models
      persistentVolumeClaim: {claimName: {{ $root.Values.models.claim }}, readOnly: {{ ne .models "write" }}}
    {{- end }}
    {{- if and .runLogs $root.Values.runLogs.claim }}
    - name: run-logs
      persistentVolumeClaim: {claimName: {{ $root.Values.runLogs.claim }}, readOnly: {{ ne .runLogs "write" }}}
    {{- end }}
{{- end }}

{{/* Every workload: what docker-compose.yml says of the service of that name. */}}
{{- define "tutorq.workloads" -}}
api:
  command: [python, -m, api]
  size: api
  port: 8000
  path: /api/live
  readyPath: /api/ready
  models: read
  secrets: [api_database_url, dagster_database_url, dagster_token, openai_api_key, oidc_client_secret, secrets_key, erasure_key]
code-location:
  command: [python, -m, orchestration.code_location, --host=0.0.0.0, --port=4000, --module-name=orchestration.definitions, --location-name=tutorq, --use-python-environment-entry-point]
  size: executor
  port: 4000
  models: write
  landing: true
  runLogs: write
  dbt: true
  grace: 120
  secrets: [ingest_database_url, transform_database_url, dagster_database_url, smtp_url, sendgrid_api_key, ses_smtp_password, openai_api_key, secrets_key, erasure_key, notify_urls]
dagster-webserver:
  command: [python, -m, orchestration.webserver, --host=0.0.0.0, --port=3000, --workspace=deploy/workspace-by-name.yaml]
  size: dagsterWebserver
  port: 3000
  path: /server_info
  runLogs: read
  secrets: [dagster_database_url, dagster_token]
dagster-daemon:
  command: [python, -m, orchestration.daemon, run, --workspace=deploy/workspace-by-name.yaml]
  size: dagsterDaemon
  secrets: [dagster_database_url]
# For what needs the owner's login: scaled to one pod by hand, and back to none (docs/deploy.md).
owner:
  command: [sleep, infinity]
  size: migrate
  replicas: 0
  models: write
  secrets: [database_url, ingest_database_url, transform_database_url, api_database_url, dagster_database_url, erasure_key]
watch:
  command: [tutorq, watch]
  size: watch
  secrets: [transform_database_url, dagster_database_url, smtp_url, sendgrid_api_key, ses_smtp_password]
{{- end }}
