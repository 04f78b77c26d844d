#!/usr/bin/env bash
# Runs a folder of wast2json output (the official test suite of WebAssembly) through the engine, in both tiers unless one is
# named: eng/wasm-spec.sh DIR [compiled|interpreter]. Prints a line a file, and at the end "N passed, N failed, N skipped";
# only malformed modules in text form are skipped. Exit code 0 if nothing failed.
set -euo pipefail
if (($# < 1 || $# > 2)) || [[ ! -d $1 ]]; then
    echo "usage: eng/wasm-spec.sh DIR [compiled|interpreter]" >&2
    exit 2
fi
folder=$(realpath -- "$1")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec dotnet run -c Release --project tests/WasmSpec -- "$folder" "$@"
