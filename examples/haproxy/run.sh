#!/bin/sh
# Runs HAProxy in the foreground. Needs LATCHKEY_ISSUER and AUDIENCE; the other variables have defaults.
set -eu
DIR=$(cd "$(dirname "$0")" && pwd)
export DIR LATCHKEY_ISSUER AUDIENCE PORT="${PORT:-8000}" SERVICE_PORT="${SERVICE_PORT:-8001}"
# Where the service is, if it isn't the line of HAProxy in haproxy.cfg.
export SERVICE="${SERVICE:-127.0.0.1:$SERVICE_PORT}"
# As the service's callers know it: proofs (DPoP) are made for it, whatever Host a caller sends.
export ORIGIN="${ORIGIN:-http://127.0.0.1:$PORT}"
exec haproxy -db -f "$DIR/haproxy.cfg"
