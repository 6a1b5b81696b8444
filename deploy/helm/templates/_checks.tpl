{{/* What has to be given, all of it told at once. */}}
{{- define "tutorq.checks" -}}
{{- $faults := list -}}
{{- if not .Values.existingSecret }}{{ $faults = append $faults "existingSecret: the Secret with the files of deploy/make-secrets.sh" }}{{ end -}}
{{- if not .Values.ingress.host }}{{ $faults = append $faults "ingress.host: the dashboard's name" }}{{ end -}}
{{- if and .Values.networkPolicy.enabled (not .Values.postgres.cidrs) }}{{ $faults = append $faults "postgres.cidrs: where Postgres is (or networkPolicy.enabled=false)" }}{{ end -}}
{{- if eq (empty .Values.models.store) (empty .Values.models.claim) }}{{ $faults = append $faults "models.store (s3://…) or models.claim (ReadWriteMany), one of them" }}{{ end -}}
{{- if and .Values.oidc.issuer (not .Values.oidc.clientId) }}{{ $faults = append $faults "oidc.clientId, as there is an issuer" }}{{ end -}}
{{- if gt (int .Values.api.replicas.min) (int .Values.api.replicas.max) }}{{ $faults = append $faults "api.replicas: min is above max" }}{{ end -}}
{{- if $faults }}{{ fail (printf "these values are missing or wrong:\n- %s" (join "\n- " $faults)) }}{{ end -}}
{{- end }}
