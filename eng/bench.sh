#!/usr/bin/env bash
# Measures: eng/bench.sh NAME. Prints a line "RESULT name=... value=... unit=... peer=... peer_value=... ratio=..." for
# each figure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if (($# != 1)); then
    echo "usage: eng/bench.sh append|streams|projections|query|log|jobs|market|audit|audit-memory|blake3|fetch|wasm|microvm" >&2
    exit 2
fi
eng/install.sh bench
exec dotnet run -c Release --project tests/Benchmarks -- "$1"
