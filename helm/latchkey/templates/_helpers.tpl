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

{{- /* The metadata of an object: `name` (default: the release's), `component`, `annotations` that it can't do
without, and `of`: the values that have its own labels and annotations, and for some a namespace. */}}
{{- define "latchkey.metadata" -}}
{{- $of := .of | default dict }}
{{- $values := .root.Values }}
{{- $labels := dict "root" .root "component" .component "more" $of.labels }}
name: {{ .name | default (include "latchkey.fullname" .root) | quote }}
namespace: {{ $of.namespace | default (include "latchkey.namespace" .root) | quote }}
labels:
  {{- include "latchkey.labels" $labels | nindent 2 }}
{{- $own := merge (dict) (.annotations | default dict) ($of.annotations | default dict) }}
{{- with merge $own ($values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Containers of the values, in which {{ … }} is rendered. */}}
{{- define "latchkey.containers" -}}
{{- tpl (toYaml .containers) .root }}
{{- end }}

{{- /* A release may be called 123, which is no text without quotation marks. */}}
{{- define "latchkey.selectorLabels" -}}
app.kubernetes.io/name: {{ include "latchkey.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* The labels of an object or of pods, each once: ours, with `component`, before `more`, which are the
object's own, before those of all. The selectors go by ours. */}}
{{- define "latchkey.labels" -}}
{{- $root := .root }}
{{- $ours := include "latchkey.selectorLabels" $root | fromYaml }}
{{- $_ := set $ours "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") }}
{{- $_ := set $ours "app.kubernetes.io/version" $root.Chart.AppVersion }}
{{- $_ := set $ours "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- with .component }}{{ $_ := set $ours "app.kubernetes.io/component" . }}{{ end }}
{{- toYaml (merge $ours (.more | default dict) ($root.Values.commonLabels | default dict)) }}
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
{{- if .image.digest }}
{{- printf "%s@%s" $repository .image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (.image.tag | default .root.Chart.AppVersion) }}
{{- end }}
{{- end }}

{{- define "latchkey.imagePullSecrets" -}}
{{- $ofAll := (.Values.global | default dict).imagePullSecrets }}
{{- with concat (.Values.imagePullSecrets | default list) ($ofAll | default list) }}
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
{{- $graceful := div (add $close $drain 999) 1000 }}
{{- .Values.terminationGracePeriodSeconds | default (add .Values.drainSeconds $graceful 5) }}
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

{{- /* A URL with a variable in it is no secret by itself, and only the configuration file replaces variables.
*/}}
{{- define "latchkey.storeUrlInConfig" -}}
{{- if contains "${" .Values.store.url }}yes{{ end }}
{{- end }}

{{- /* The names of the secrets, in their order, as a JSON list. `helm upgrade --reuse-values` knows no new
defaults. */}}
{{- define "latchkey.secretKeys" -}}
{{- $keys := .Values.secret.keys | default (list "LATCHKEY_SECRET") }}
{{- if .Values.secret.previous }}{{ $keys = append $keys "LATCHKEY_SECRET_PREVIOUS" }}{{ end }}
{{- toJson $keys }}
{{- end }}

{{- define "latchkey.config" -}}
{{- $isInConfig := eq (include "latchkey.storeUrlInConfig" .) "yes" }}
{{- $url := ternary .Values.store.url "${LATCHKEY_STORE_URL}" $isInConfig }}
{{- $secrets := list }}
{{- range include "latchkey.secretKeys" . | fromJsonArray }}
{{- $secrets = append $secrets (printf "${%s}" .) }}
{{- end }}
{{- $config := deepCopy .Values.config }}
{{- $store := merge (dict "url" $url) ($config.store | default dict) }}
{{- if .Values.store.passwordSecret }}
{{- $_ := set $store "passwordFile" "/run/secrets/latchkey-store/password" }}
{{- end }}
{{- if .Values.store.sentinelPasswordSecret }}
{{- $file := dict "passwordFile" "/run/secrets/latchkey-store/sentinel-password" }}
{{- $_ := set $store "sentinel" (merge $file ($store.sentinel | default dict)) }}
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

{{- /* The paths that the issuer's host has to bring here, as a JSON list: all, or those of an issuer with a
path, its metadata (RFC 8414 §3.1) included. */}}
{{- define "latchkey.paths" -}}
{{- $path := trimSuffix "/" (include "latchkey.issuerPath" .) }}
{{- if $path }}
{{- toJson (list $path (printf "/.well-known/oauth-authorization-server%s" $path)) }}
{{- else }}
{{- toJson (list "/") }}
{{- end }}
{{- end }}

{{- /* The hosts of a URL with their ports, as it lists them: a password in it may be a ${NAME}. */}}
{{- define "latchkey.urlHosts" -}}
{{- regexFind "^[^/?#]*" (regexReplaceAll "^[a-z+]+://([^/?#]*@)?" . "") }}
{{- end }}
{{- /* The port of `url`; `usual` where that is a ${NAME}, which the chart can't read. */}}
{{- define "latchkey.urlPort" -}}
{{- $standard := dict "http" "80" "https" "443" "ldaps" "636" "ldap" "389" "mysql" "3306" }}
{{- $standard = merge $standard (dict "mariadb" "3306" "postgres" "5432" "postgresql" "5432") }}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" (include "latchkey.urlHosts" .url)) }}
{{- $port | default (get $standard (regexFind "^[a-z]+" .url)) | default .usual | default "443" }}
{{- end }}

{{- /* The URLs that the server goes to beside its store, as a JSON list of `name`, `url`, `usual` port and
the peers `to`. */}}
{{- define "latchkey.urls" -}}
{{- $policy := .Values.networkPolicy }}
{{- $urls := list }}
{{- with .Values.traces.endpoint }}
{{- $urls = append $urls (dict "name" "traces.endpoint" "url" . "to" $.Values.traces.to) }}
{{- end }}
{{- with dig "notify" "webhook" "url" nil .Values.config }}
{{- $urls = append $urls (dict "name" "config.notify.webhook.url" "url" . "to" $policy.webhookTo) }}
{{- end }}
{{- with dig "store" "accounts" "url" nil .Values.config }}
{{- $way := dict "name" "config.store.accounts.url" "url" . "usual" "5432" "to" $policy.directoriesTo }}
{{- $urls = append $urls $way }}
{{- end }}
{{- range $index, $directory := .Values.config.directories }}
{{- $usual := get (dict "ldap" "636" "sql" "5432") ($directory.type | default "") }}
{{- range $key := list "url" "lookupUrl" }}
{{- with get $directory $key }}
{{- $name := printf "config.directories[%d].%s" $index $key }}
{{- $way := dict "name" $name "url" . "usual" $usual "to" $policy.directoriesTo }}
{{- $urls = append $urls $way }}
{{- end }}
{{- end }}
{{- end }}
{{- range $index, $client := .Values.config.clients }}
{{- with $client.jwksUri }}
{{- $name := printf "config.clients[%d].jwksUri" $index }}
{{- $urls = append $urls (dict "name" $name "url" . "to" $policy.jwksTo) }}
{{- end }}
{{- end }}
{{- toJson $urls }}
{{- end }}

{{- /* The ports of Redis and of its sentinels, as a JSON list. The URL in an existing Secret can't be read:
there networkPolicy.storePorts has them all. */}}
{{- define "latchkey.storePorts" -}}
{{- $isSentinel := contains "+sentinel:" .Values.store.url }}
{{- $ofUrl := list }}
{{- with include "latchkey.urlHosts" .Values.store.url }}
{{- range splitList "," . }}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" .) }}
{{- $ofUrl = append $ofUrl ($port | default (ternary "26379" "6379" $isSentinel) | int) }}
{{- end }}
{{- end }}
{{- $ports := .Values.networkPolicy.storePorts }}
{{- if or $isSentinel (not $ofUrl) }}{{ $ports = $ports | default (list 6379) }}{{ end }}
{{- if or $isSentinel (not $ports) }}{{ $ports = concat $ofUrl $ports }}{{ end }}
{{- toJson (uniq $ports) }}
{{- end }}

{{- /* Egress rules for who works on the store: DNS, and the store where it is not a file. */}}
{{- define "latchkey.storeEgress" -}}
- ports: [{ port: 53, protocol: UDP }, { port: 53, protocol: TCP }]
{{- if .Values.redis.enabled }}
- ports: [{ port: 6379, protocol: TCP }]
  to:
    - podSelector:
        matchLabels:
          {{- include "latchkey.selectorLabels" . | nindent 10 }}
          app.kubernetes.io/component: redis
{{- else if not (include "latchkey.usesSqlite" .) }}
- ports:
    {{- range include "latchkey.storePorts" . | fromJsonArray }}
    - { port: {{ . }}, protocol: TCP }
    {{- end }}
  {{- with .Values.networkPolicy.storeTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* Where else the configuration sends the server, as a JSON list of egress rules. */}}
{{- define "latchkey.egress" -}}
{{- $ways := list }}
{{- with dig "notify" "mail" nil .Values.config }}
{{- $usual := get (dict "implicit" 465 "none" 25) (.tls | default "") | default 587 }}
{{- $ways = append $ways (dict "port" (.port | default $usual | int) "to" $.Values.networkPolicy.mailTo) }}
{{- end }}
{{- range include "latchkey.urls" . | fromJsonArray }}
{{- $ways = append $ways (dict "port" (include "latchkey.urlPort" . | int) "to" .to) }}
{{- end }}
{{- $rules := list }}
{{- range uniq $ways }}
{{- $rule := dict "ports" (list (dict "port" .port "protocol" "TCP")) }}
{{- with .to }}{{ $_ := set $rule "to" . }}{{ end }}
{{- $rules = append $rules $rule }}
{{- end }}
{{- toJson (uniq $rules) }}
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
{{- with .Values.podSecurityContext }}
{{- toYaml . }}
{{- else }}
{{- include "latchkey.podSecurityContext" 65532 }}
{{- end }}
{{- end }}
{{- define "latchkey.serverSecurityContext" -}}
{{- with .Values.securityContext }}
{{- toYaml . }}
{{- else }}
{{- include "latchkey.containerSecurityContext" . }}
{{- end }}
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
    secretKeyRef:
      name: {{ include "latchkey.secretName" $ }}
      key: {{ get ($.Values.secret.existingSecretKeys | default dict) $key | default $key }}
{{- end }}
{{- if ne (include "latchkey.storeUrlInConfig" .) "yes" }}
- name: LATCHKEY_STORE_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "latchkey.storeSecretName" . }}
      key: {{ .Values.store.existingSecretKey | default "LATCHKEY_STORE_URL" }}
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

{{- /* Whether somebody else has the configuration file. */}}
{{- define "latchkey.hasOwnConfig" -}}
{{- with .Values.configFrom }}{{ if or .configMap .secret }}yes{{ end }}{{ end }}
{{- end }}

{{- /* Where the configuration file comes from: ours, or somebody else's ConfigMap or Secret. */}}
{{- define "latchkey.configVolume" -}}
{{- $from := .Values.configFrom | default dict }}
{{- if $from.secret }}
secret:
  secretName: {{ $from.secret }}
  # 0440: root's, and of the group of the pod's fsGroup.
  defaultMode: 288
  items: [{ key: {{ $from.key | default "latchkey.yaml" }}, path: latchkey.yaml }]
{{- else if $from.configMap }}
configMap:
  name: {{ $from.configMap }}
  items: [{ key: {{ $from.key | default "latchkey.yaml" }}, path: latchkey.yaml }]
{{- else }}
configMap:
  name: {{ include "latchkey.fullname" . }}
{{- end }}
{{- end }}

{{- define "latchkey.volumes" -}}
- name: config
{{- include "latchkey.configVolume" . | nindent 2 }}
{{- if .Values.persistence.enabled }}
- name: data
  persistentVolumeClaim:
    claimName: {{ .Values.persistence.existingClaim | default (include "latchkey.fullname" .) }}
{{- end }}
{{- if or .Values.store.passwordSecret .Values.store.sentinelPasswordSecret }}
- name: store-passwords
  projected:
    # 0440: root's, and of the group of the pod's fsGroup.
    defaultMode: 288
    sources:
      {{- with .Values.store.passwordSecret }}
      {{- $key := $.Values.store.passwordSecretKey | default "LATCHKEY_STORE_PASSWORD" }}
      - secret: { name: {{ . }}, items: [{ key: {{ $key }}, path: password }] }
      {{- end }}
      {{- with .Values.store.sentinelPasswordSecret }}
      {{- $key := $.Values.store.sentinelPasswordSecretKey | default "LATCHKEY_SENTINEL_PASSWORD" }}
      - secret: { name: {{ . }}, items: [{ key: {{ $key }}, path: sentinel-password }] }
      {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* What a pod for one task has in common with the server's, but for its containers and volumes. */}}
{{- define "latchkey.oneOffPod" -}}
serviceAccountName: {{ include "latchkey.serviceAccountName" . }}
{{- include "latchkey.imagePullSecrets" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "latchkey.serverPodSecurityContext" . | nindent 2 }}
{{- range $key := list "priorityClassName" "runtimeClassName" "dnsPolicy" }}
{{- with get $.Values $key }}
{{ $key }}: {{ . }}
{{- end }}
{{- end }}
{{- range $key := list "dnsConfig" "hostAliases" "nodeSelector" "tolerations" }}
{{- with get $.Values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- if .Values.persistence.enabled }}
affinity:
  # The volume is where the server is.
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "latchkey.selectorLabels" . | nindent 12 }}
            app.kubernetes.io/component: server
{{- end }}
{{- end }}

{{- /* A probe of ours: its path on the management port, and its times. An upgrade that reuses values knows
none. */}}
{{- define "latchkey.probe" -}}
httpGet: { path: {{ .path }}, port: management }
{{- with .probe }}
{{ toYaml . }}
{{- end }}
{{- end }}
