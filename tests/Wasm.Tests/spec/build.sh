#!/bin/sh
# Makes the .json and .wasm files here out of the .wast files, with wast2json of wabt 1.0.32 (Debian: apt-get install wabt).
set -eu
cd "$(dirname "$0")"
command -v wast2json > /dev/null || { echo "build.sh: wast2json is missing; apt-get install wabt" >&2; exit 1; }
rm -f ./*.json ./*.wasm
for file in *.wast; do
    wast2json "$file" -o "${file%.wast}.json"
done
# Where a trap is expected of a function with several results, this version leaves a comma out.
sed -i 's/}{"type"/}, {"type"/g' ./*.json
rm -f ./*.wat
