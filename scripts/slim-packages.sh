#!/bin/sh
# Takes out of a folder of packages what no server reads: types, source maps, tests, documents, TypeScript,
# and compiled forms for other systems. `slim-packages.sh FOLDER [ARCHITECTURE]`, as in an image's name.
set -eu
folder=$1
case ${2:-} in
  arm64) processor=arm64 ;;
  amd64 | '') processor=x64 ;;
  *) processor=$2 ;;
esac

find "$folder" -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' \
  -o -name '*.tsbuildinfo' -o -iname 'changelog*' \
  -o -iname 'readme*' -o -iname 'history.md' -o -name '.eslintrc*' \) -delete
# Only at a package's root: deeper, the name may be the code's own.
for package in "$folder"/* "$folder"/@*/* "$folder"/*/node_modules/*; do
  [ -f "$package/package.json" ] || continue
  for name in test tests __tests__ benchmark benchmarks bench examples example docs doc types .github; do
    # Some packages keep their code in a folder of such a name.
    grep -q "\"\./*$name/[^\"]*\.[cm]*js\"" "$package/package.json" || rm -rf "${package:?}/$name"
  done
  if [ -d "$package/prebuilds" ]; then
    find "$package/prebuilds" -mindepth 1 -maxdepth 1 ! -name "linux-$processor" -exec rm -rf {} +
  fi
done
