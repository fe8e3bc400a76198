{{- /* What values.schema.json can't say: rules between values. Every message says what to set. */}}
{{- define "latchkey.validate" -}}
{{- $isElsewhere := include "latchkey.hasOwnConfig" . }}
{{- $from := .Values.configFrom | default dict }}
{{- if and $from.configMap $from.secret }}
{{- fail "\n\nconfigFrom.configMap and configFrom.secret are both set: keep one of them" }}
{{- end }}
{{- $needsHost := and .Values.ingress.enabled (not .Values.ingress.hosts) }}
{{- $needsHost = or $needsHost (and .Values.httpRoute.enabled (not .Values.httpRoute.hosts)) }}
{{- if and (not .Values.config.issuer) (or $needsHost (not $isElsewhere)) }}
{{- fail (print
    "\n\nconfig.issuer is missing: set it to the https URL under which clients reach this server, for "
    "example\n  --set config.issuer=https://id.example.com") }}
{{- end }}
{{- $stores := list }}
{{- if .Values.store.url }}{{ $stores = append $stores "store.url" }}{{ end }}
{{- if .Values.store.existingSecret }}{{ $stores = append $stores "store.existingSecret" }}{{ end }}
{{- if .Values.redis.enabled }}{{ $stores = append $stores "redis.enabled" }}{{ end }}
{{- if eq (len $stores) 0 }}
{{- fail (print
    "\n\nno store: set store.url (redis://host:6379/0), or store.existingSecret (a Secret with the key "
    "LATCHKEY_STORE_URL), or, for a try-out,\n  --set redis.enabled=true") }}
{{- end }}
{{- if gt (len $stores) 1 }}
{{- fail (printf "\n\n%s are set: there is one store, keep one of them" (join " and " $stores)) }}
{{- end }}
{{- if include "latchkey.usesSqlite" . }}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) }}
{{- fail (print
    "\n\nstore.url is SQLite, which is one file of one process: set replicaCount=1 and "
    "autoscaling.enabled=false, or use Redis for more replicas") }}
{{- end }}
{{- if not .Values.persistence.enabled }}
{{- fail (print
    "\n\nstore.url is SQLite on a disk that goes with the pod: set persistence.enabled=true and a path "
    "below /data, for example\n  --set persistence.enabled=true --set "
    "store.url=sqlite:/data/latchkey.db") }}
{{- end }}
{{- if not (hasPrefix "sqlite:/data/" .Values.store.url) }}
{{- fail (print
    "\n\nstore.url is SQLite outside the volume: put the file below /data, for example "
    "sqlite:/data/latchkey.db") }}
{{- end }}
{{- else if .Values.persistence.enabled }}
{{- fail (print
    "\n\npersistence.enabled is for SQLite only (store.url: sqlite:/data/latchkey.db); with Redis the "
    "server keeps nothing on a disk") }}
{{- end }}
{{- $hasFile := or .Values.store.passwordSecret .Values.store.sentinelPasswordSecret }}
{{- if and $hasFile (or .Values.redis.enabled (include "latchkey.usesSqlite" .)) }}
{{- fail (print
    "\n\nstore.passwordSecret and store.sentinelPasswordSecret are for a Redis of your own: SQLite has "
    "no password, and that of redis.enabled is redis.password") }}
{{- end }}
{{- range $key := list "password" "passwordFile" }}
{{- if and $.Values.store.passwordSecret (hasKey ($.Values.config.store | default dict) $key) }}
{{- fail (printf "\n\nstore.passwordSecret and config.store.%s are both set: keep one of them" $key) }}
{{- end }}
{{- $sentinel := dig "store" "sentinel" (dict) $.Values.config }}
{{- if and $.Values.store.sentinelPasswordSecret (hasKey $sentinel $key) }}
{{- $message := print
    "\n\nstore.sentinelPasswordSecret and config.store.sentinel.%s are both set: keep one of "
    "them" }}
{{- fail (printf $message $key) }}
{{- end }}
{{- end }}
{{- $values := or .Values.secret.value .Values.secret.values .Values.secret.previousValue }}
{{- if and .Values.secret.existingSecret $values }}
{{- fail "\n\nsecret.existingSecret and secret.value or secret.values are both set: keep one of them" }}
{{- end }}
{{- $keys := .Values.secret.keys | default (list "LATCHKEY_SECRET") }}
{{- if and .Values.secret.previous (ne (toJson $keys) (toJson (list "LATCHKEY_SECRET"))) }}
{{- fail (print
    "\n\nsecret.previous and secret.keys are both set: keep secret.keys, and append "
    "LATCHKEY_SECRET_PREVIOUS to it where it is needed") }}
{{- end }}
{{- if not .Values.secret.existingSecret }}
{{- range $key := $keys }}
{{- if not (or (eq $key "LATCHKEY_SECRET") (hasKey ($.Values.secret.values | default dict) $key)) }}
{{- $message := print
    "\n\nsecret.keys names %s, which has no value: set secret.values.%s, or "
    "secret.existingSecret to a Secret that has it" }}
{{- fail (printf $message $key $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.secret.previous (not .Values.secret.existingSecret) (not .Values.secret.previousValue) }}
{{- fail (print
    "\n\nsecret.previous is true but secret.previousValue is empty: set it to the second secret: the "
    "new one in step 1 of the rotation (docs/operations.md), the old one in step 2") }}
{{- end }}
{{- if and .Values.secret.previousValue (not .Values.secret.previous) }}
{{- fail (print
    "\n\nsecret.previousValue is set but secret.previous is false: set secret.previous=true, or take "
    "the value away") }}
{{- end }}
{{- range $name := keys (.Values.secret.existingSecretKeys | default dict) }}
{{- if not $.Values.secret.existingSecret }}
{{- fail "\n\nsecret.existingSecretKeys is set but secret.existingSecret is not: name the Secret, too" }}
{{- end }}
{{- if not (has $name (include "latchkey.secretKeys" $ | fromJsonArray)) }}
{{- $message := "\n\nsecret.existingSecretKeys names %s, which is not in secret.keys: add it there" }}
{{- fail (printf $message $name) }}
{{- end }}
{{- end }}
{{- $trusted := dig "http" "trustedProxies" (list) .Values.config }}
{{- $isProxied := or .Values.ingress.enabled .Values.httpRoute.enabled }}
{{- if and $isProxied (not $trusted) (not $isElsewhere) }}
{{- fail (print
    "\n\nconfig.http.trustedProxies is empty behind an ingress or a gateway: every request would count "
    "as the proxy's own in the rate limit, and the audit log would name the proxy. List the proxy's "
    "own addresses, for example\n  --set 'config.http.trustedProxies={10.0.1.0/28}'") }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail (print
    "\n\nhttpRoute.enabled needs httpRoute.parentRefs: name the Gateway that takes the route, for "
    "example\n  --set 'httpRoute.parentRefs[0].name=public'") }}
{{- end }}
{{- $isReversed := gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}
{{- if and .Values.autoscaling.enabled $isReversed }}
{{- fail "\n\nautoscaling.minReplicas is more than autoscaling.maxReplicas" }}
{{- end }}
{{- $name := include "latchkey.fullname" . }}
{{- $kept := (lookup "v1" "Secret" (include "latchkey.namespace" .) $name).data | default dict }}
{{- $toMake := list }}
{{- if not (or .Values.secret.existingSecret .Values.secret.value $kept.LATCHKEY_SECRET) }}
{{- $toMake = append $toMake "secret.existingSecret or secret.value" }}
{{- end }}
{{- if and .Values.redis.enabled (not (or .Values.redis.password $kept.REDIS_PASSWORD)) }}
{{- $toMake = append $toMake "redis.password" }}
{{- end }}
{{- /* Where no cluster can be asked, every rendering would make others: each would end all sessions and lock
the signing keys. */}}
{{- if and $toMake (not (lookup "v1" "Secret" (include "latchkey.namespace" .) "")) }}
{{- $message := print
    "\n\nno cluster to ask for the secrets that were made before, and a new one at every "
    "rendering would log everybody out: set %s (docs/operations.md, \"Argo CD, Flux and helm "
    "template\")" }}
{{- fail (printf $message (join " and " $toMake)) }}
{{- end }}
{{- end }}
