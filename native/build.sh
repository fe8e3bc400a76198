#!/bin/sh
# Compiles the package argon2 anew for processors with AVX2, where it computes more than twice as many hashes
# a second, into native/argon2. The server takes it where it works (src/users/hashing/argon2.ts), and what npm
# brought everywhere else. Needs a C++ compiler; does nothing on other processors, nor for one that is named
# (amd64, arm64) and isn't this machine's.
set -eu
cd "$(dirname "$0")"
package=../node_modules/argon2
headers=node_modules/node-api-headers/include
addon=../node_modules/node-addon-api
rm -rf argon2
mkdir -p argon2/build/Release
target=${1:-amd64}
if [ "$(uname -sm)" != 'Linux x86_64' ] || [ "$target" != amd64 ]; then
  echo 'no AVX2 on this kind of machine: the portable argon2 stays'
  exit 0
fi
npm ci --ignore-scripts --no-progress

objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
# The flags of argon2's own build (its binding.gyp). Only what fills the memory may use AVX2.
common='-O3 -fPIC -DNDEBUG -D_FORTIFY_SOURCE=2 -fvisibility=hidden -fdata-sections -ffunction-sections'
for source in argon2 blake2/blake2b core encoding thread opt; do
  vector=-msse2
  [ "$source" != opt ] || vector=-mavx2
  "${CC:-gcc}" $common $vector -Wno-type-limits -I "$package/argon2/include" \
    -c "$package/argon2/src/$source.c" -o "$objects/$(basename "$source").o"
done
"${CXX:-g++}" -std=c++17 $common -fexceptions -DNAPI_VERSION=8 \
  -DNODE_ADDON_API_DISABLE_DEPRECATED -DNODE_API_NO_EXTERNAL_BUFFERS_ALLOWED \
  -I "$headers" -I "$addon" -I "$package/argon2/include" -c "$package/argon2.cpp" -o "$objects/addon.o"
"${CXX:-g++}" -shared -pthread -s -Wl,--gc-sections -o argon2/build/Release/argon2.node "$objects"/*.o

# The package's own JavaScript looks for its compiled form beside itself.
cp "$package/argon2.cjs" "$package/package.json" "$package/LICENSE" argon2/
echo 'native/argon2: compiled for AVX2'
