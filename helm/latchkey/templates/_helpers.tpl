{{- define "latchkey.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "latchkey.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "latchkey.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "latchkey.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "latchkey.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace }}
{{- end }}

{{- /* `annotations:` of an object: those of all, and `more`, its own. Nothing where there are none. */}}
{{- define "latchkey.annotations" -}}
{{- with merge (dict) (.more | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "latchkey.selectorLabels" -}}
app.kubernetes.io/name: {{ include "latchkey.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "latchkey.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "latchkey.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "latchkey.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "latchkey.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "latchkey.image" -}}
{{- include "latchkey.imageOf" (dict "root" . "image" .Values.image) }}
{{- end }}

{{- /* An image by its digest, else its tag; global.imageRegistry takes the place of its registry. */}}
{{- define "latchkey.imageOf" -}}
{{- $repository := .image.repository }}
{{- with (.root.Values.global | default dict).imageRegistry }}
{{- $repository = printf "%s/%s" . (regexReplaceAll "^[^/]*[.:][^/]*/" $repository "") }}
{{- end }}
{{- if .image.digest }}{{ $repository }}@{{ .image.digest }}{{ else }}{{ $repository }}:{{ .image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "latchkey.imagePullSecrets" -}}
{{- with concat (.Values.imagePullSecrets | default list) ((.Values.global | default dict).imagePullSecrets | default list) }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "latchkey.httpPort" -}}
{{- dig "http" "port" 3000 .Values.config }}
{{- end }}

{{- define "latchkey.managementPort" -}}
{{- dig "management" "port" 3001 .Values.config }}
{{- end }}

{{- /* Milliseconds of a duration as the configuration writes it. */}}
{{- define "latchkey.milliseconds" -}}
{{- $unit := regexFind "[a-z]+$" . }}
{{- $number := trimSuffix $unit . | int64 }}
{{- mul $number (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000) $unit) }}
{{- end }}

{{- /* The pod's own sleep, then the server's graceful stop, and a margin. */}}
{{- define "latchkey.graceSeconds" -}}
{{- $http := .Values.config.http | default dict }}
{{- $close := include "latchkey.milliseconds" ($http.closeGrace | default "10s") | int64 }}
{{- $drain := include "latchkey.milliseconds" ($http.drainDelay | default "0s") | int64 }}
{{- .Values.terminationGracePeriodSeconds | default (add .Values.drainSeconds (div (add $close $drain 999) 1000) 5) }}
{{- end }}

{{- define "latchkey.secretName" -}}
{{- .Values.secret.existingSecret | default (include "latchkey.fullname" .) }}
{{- end }}

{{- define "latchkey.storeSecretName" -}}
{{- .Values.store.existingSecret | default (include "latchkey.fullname" .) }}
{{- end }}

{{- define "latchkey.usesSqlite" -}}
{{- if hasPrefix "sqlite:" .Values.store.url }}yes{{ end }}
{{- end }}

{{- /* A URL with a variable in it is no secret by itself, and only the configuration file replaces variables. */}}
{{- define "latchkey.storeUrlInConfig" -}}
{{- if contains "${" .Values.store.url }}yes{{ end }}
{{- end }}

{{- /* The names of the secrets, in their order, as a JSON list. `helm upgrade --reuse-values` knows no new defaults. */}}
{{- define "latchkey.secretKeys" -}}
{{- $keys := .Values.secret.keys | default (list "LATCHKEY_SECRET") }}
{{- if .Values.secret.previous }}{{ $keys = append $keys "LATCHKEY_SECRET_PREVIOUS" }}{{ end }}
{{- toJson $keys }}
{{- end }}

{{- define "latchkey.config" -}}
{{- $url := ternary .Values.store.url "${LATCHKEY_STORE_URL}" (eq (include "latchkey.storeUrlInConfig" .) "yes") }}
{{- $secrets := list }}
{{- range include "latchkey.secretKeys" . | fromJsonArray }}{{ $secrets = append $secrets (printf "${%s}" .) }}{{ end }}
{{- $config := deepCopy .Values.config }}
{{- $store := merge (dict "url" $url) ($config.store | default dict) }}
{{- if .Values.store.passwordSecret }}{{ $_ := set $store "passwordFile" "/run/secrets/latchkey-store/password" }}{{ end }}
{{- if .Values.store.sentinelPasswordSecret }}
{{- $_ := set $store "sentinel" (merge (dict "passwordFile" "/run/secrets/latchkey-store/sentinel-password") ($store.sentinel | default dict)) }}
{{- end }}
{{- $_ := set $config "store" $store }}
{{- $_ := set $config "secrets" $secrets }}
{{- toYaml $config }}
{{- end }}

{{- /* Host and path of the issuer. */}}
{{- define "latchkey.issuerHost" -}}
{{- regexReplaceAll ":[0-9]+$" (urlParse .Values.config.issuer).host "" }}
{{- end }}
{{- define "latchkey.issuerPath" -}}
{{- (urlParse .Values.config.issuer).path | default "/" }}
{{- end }}

{{- /* The paths that the issuer's host has to bring here, as a JSON list: all, or those of an issuer with a path, its
metadata (RFC 8414 §3.1) included. */}}
{{- define "latchkey.paths" -}}
{{- $path := trimSuffix "/" (include "latchkey.issuerPath" .) }}
{{- if $path }}
{{- toJson (list $path (printf "/.well-known/oauth-authorization-server%s" $path)) }}
{{- else }}
{{- toJson (list "/") }}
{{- end }}
{{- end }}

{{- /* The port of an http or https URL. */}}
{{- define "latchkey.urlPort" -}}
{{- $url := urlParse . }}
{{- $standard := dict "https" "443" "http" "80" "ldaps" "636" "ldap" "389" }}
{{- $standard = merge $standard (dict "postgres" "5432" "postgresql" "5432" "mysql" "3306" "mariadb" "3306") }}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (get $standard $url.scheme) }}
{{- end }}

{{- /* Pod Security "restricted", and a root that can't be written. */}}
{{- define "latchkey.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}
{{- /* The server's own, as the values have it. `helm upgrade --reuse-values` knows no new defaults. */}}
{{- define "latchkey.serverPodSecurityContext" -}}
{{- with .Values.podSecurityContext }}{{ toYaml . }}{{ else }}{{ include "latchkey.podSecurityContext" 65532 }}{{ end }}
{{- end }}
{{- define "latchkey.serverSecurityContext" -}}
{{- with .Values.securityContext }}{{ toYaml . }}{{ else }}{{ include "latchkey.containerSecurityContext" . }}{{ end }}
{{- end }}
{{- define "latchkey.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* What the server and the test pod are told by environment variables. */}}
{{- define "latchkey.env" -}}
- name: LATCHKEY_CONFIG
  value: /etc/latchkey/latchkey.yaml
{{- range $key := include "latchkey.secretKeys" . | fromJsonArray }}
- name: {{ $key }}
  valueFrom:
    secretKeyRef: { name: {{ include "latchkey.secretName" $ }}, key: {{ $key }} }
{{- end }}
{{- if ne (include "latchkey.storeUrlInConfig" .) "yes" }}
- name: LATCHKEY_STORE_URL
  valueFrom:
    secretKeyRef: { name: {{ include "latchkey.storeSecretName" . }}, key: LATCHKEY_STORE_URL }
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "latchkey.volumeMounts" -}}
- name: config
  mountPath: /etc/latchkey
  readOnly: true
{{- if .Values.persistence.enabled }}
- name: data
  mountPath: /data
{{- end }}
{{- if or .Values.store.passwordSecret .Values.store.sentinelPasswordSecret }}
# The folder and not its files: what is mounted by subPath is never renewed.
- name: store-passwords
  mountPath: /run/secrets/latchkey-store
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "latchkey.volumes" -}}
- name: config
  configMap:
    name: {{ include "latchkey.fullname" . }}
{{- if .Values.persistence.enabled }}
- name: data
  persistentVolumeClaim:
    claimName: {{ .Values.persistence.existingClaim | default (include "latchkey.fullname" .) }}
{{- end }}
{{- if or .Values.store.passwordSecret .Values.store.sentinelPasswordSecret }}
- name: store-passwords
  projected:
    # Root's, and of the group of the pod's fsGroup.
    defaultMode: 0440
    sources:
      {{- with .Values.store.passwordSecret }}
      - secret: { name: {{ . }}, items: [{ key: LATCHKEY_STORE_PASSWORD, path: password }] }
      {{- end }}
      {{- with .Values.store.sentinelPasswordSecret }}
      - secret: { name: {{ . }}, items: [{ key: LATCHKEY_SENTINEL_PASSWORD, path: sentinel-password }] }
      {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* A probe of ours: its path on the management port, and its times. An upgrade that reuses values knows none. */}}
{{- define "latchkey.probe" -}}
httpGet: { path: {{ .path }}, port: management }
{{- with .probe }}
{{ toYaml . }}
{{- end }}
{{- end }}
