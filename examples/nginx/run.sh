#!/bin/sh
# Fills in nginx.conf.template and runs nginx in the foreground. Needs LATCHKEY_ISSUER and AUDIENCE; the other
# variables have defaults.
set -eu
PREFIX=$(mktemp -d)
trap 'rm -rf "$PREFIX"' EXIT
export PREFIX PORT="${PORT:-8000}" SERVICE_PORT="${SERVICE_PORT:-8001}"
# Where the service is, if it isn't the line of nginx in the template.
export SERVICE="${SERVICE:-127.0.0.1:$SERVICE_PORT}"
# As the service's callers know it: proofs (DPoP) are made for it, whatever Host a caller sends.
export ORIGIN="${ORIGIN:-http://127.0.0.1:$PORT}"
LATCHKEY_HOST=${LATCHKEY_ISSUER#http://}
export LATCHKEY_HOST
# Only these: the file is full of nginx's own variables.
envsubst '$PREFIX $PORT $SERVICE_PORT $SERVICE $ORIGIN $LATCHKEY_HOST $AUDIENCE' \
  < "$(dirname "$0")/nginx.conf.template" > "$PREFIX/nginx.conf"
nginx -p "$PREFIX" -e stderr -c "$PREFIX/nginx.conf" -g 'daemon off;' &
trap 'kill -QUIT $!; wait $!; rm -rf "$PREFIX"' TERM INT
wait $!
