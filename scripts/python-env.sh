#!/usr/bin/env bash
# Makes .venv with what the Python examples and suites need, and prints the path of its Python.
# One that was made of the same requirements by the same Python is used again.
set -euo pipefail
cd "$(dirname "$0")/.."

# Two suites may ask at the same time: one makes it, the other waits.
if command -v flock >/dev/null; then
  exec 9<scripts/python-env.sh
  flock 9
fi

package=packages/latchkey-verifier-python
constraints=test/interop/python/constraints.txt
requirements=(
  examples/accounts/requirements.txt
  examples/fastapi/requirements.txt
  examples/flask/requirements.txt
  examples/self-service/requirements.txt
  test/docs/requirements.txt
  test/interop/python/requirements.txt
  test/users/python/requirements.txt
)

if ! python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
  echo 'Python 3.10 or newer with its venv module is needed: install it' \
    '(apt-get install python3 python3-venv, brew install python)' >&2
  exit 1
fi

wanted=$(
  python3 -c 'import sys; print(sys.version, sys.executable)'
  cat "$constraints" "${requirements[@]}")
if [ "$wanted" != "$(cat .venv/made-of 2>/dev/null)" ]; then
  python3 -m venv --clear .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --constraint "$constraints" "${requirements[@]/#/--requirement=}" >&2
  echo "$wanted" > .venv/made-of
fi

# The verifier, as others install it: from its packed form.
wanted=$(find "$package" -type f -not -path '*/__pycache__/*' -print0 | sort -z | xargs -0 sha256sum)
if [ "$wanted" != "$(cat .venv/packed-of 2>/dev/null)" ]; then
  rm -rf .venv/packed
  .venv/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps \
    --wheel-dir .venv/packed "./$package" >&2
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall \
    .venv/packed/*.whl >&2
  echo "$wanted" > .venv/packed-of
fi
echo "$PWD/.venv/bin/python"
