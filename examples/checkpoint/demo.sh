#!/usr/bin/env bash
# A long computation that its worker does not survive: primes.json is run once without trouble, and once on a worker that is
# killed half way; another goes on from the last checkpoint. Both must come to the same output, fuel and final state.
# Everything that it starts is stopped, and everything that it writes beside the build is removed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { printf '\n== %s\n' "$*"; }

work=$(mktemp -d "${TMPDIR:-/tmp}/meshledger-checkpoint.XXXXXX")
# As root, the private PostgreSQL runs as another user, who must be able to enter.
chmod 711 "$work"
declare -A pids=()
finish() {
    local code=$?
    trap - EXIT INT TERM HUP
    for name in first second keeper; do
        if [[ -n ${pids[$name]:-} ]]; then
            kill -TERM "${pids[$name]}" 2> /dev/null || true
            wait "${pids[$name]}" 2> /dev/null || true
        fi
    done
    rm -rf "$work"
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say "Building"
if ! dotnet build src/Tools -c Release -v quiet --nologo > "$work/build.log" 2>&1; then
    cat "$work/build.log" >&2
    exit 1
fi
program=$PWD/src/Tools/bin/Release/net10.0/meshledger
export MESHLEDGER_DATA="$work/keeper"
meshledger() { "$program" "$@"; }
fail() {
    echo "demo.sh: $*" >&2
    tail -n 20 "$work"/*.log >&2
    exit 1
}

# A worker that is silent for 3 s has lost what it ran.
echo '{"lease_seconds": 3}' > "$work/config.json"
start() {
    local name=$1
    shift
    "$program" up --name "$name" --data "$work/$name" --listen 127.0.0.1:0 --config "$work/config.json" "$@" \
        2> "$work/$name.log" &
    pids[$name]=$!
    until grep -q 'meshledger is ready' "$work/$name.log"; do
        kill -0 "${pids[$name]}" 2> /dev/null || fail "node $name did not start"
        sleep 0.1
    done
    echo "node $name is ready, process ${pids[$name]}"
}

say "One node that keeps the ledger, and two with a worker each"
start keeper --no-worker
server="Host=$work/keeper/postgres;Username=meshledger;Database=postgres"
start first --postgres "$server"
start second --postgres "$server"
meshledger blob add examples/guests/wasi/primes.wasm

value() { sed -n "s/^  $2  *//p" <<< "$1"; }
shown() { meshledger job show "$1"; }

say "examples/checkpoint/primes.json, without trouble"
meshledger job submit examples/checkpoint/primes.json
meshledger job wait primes-example-001 --timeout 300
whole=$(shown primes-example-001)
sed -n '/^Receipt/,$p' <<< "$whole"

say "The same again, and its worker is killed half way"
sed 's/primes-example-001/primes-example-002/' examples/checkpoint/primes.json > "$work/again.json"
meshledger job submit "$work/again.json"
saved=0
for ((i = 0; i < 600 && saved < 2; i++)); do
    saved=$(meshledger job history primes-example-002 | grep -c checkpoint_recorded || true)
    [[ $(meshledger job list --status completed) != *primes-example-002* ]] || fail "it was over too soon to be killed"
    sleep 0.2
done
((saved >= 2)) || fail "no state was saved"
victim=$(shown primes-example-002 | sed -n 's/^worker  *\([a-z]*\) .*/\1/p')
kill -KILL "${pids[$victim]}"
wait "${pids[$victim]}" 2> /dev/null || true
unset "pids[$victim]"
echo "node $victim is dead; $saved states of the computation were saved"

say "Its lease ends, and the other worker goes on"
meshledger job wait primes-example-002 --timeout 300
meshledger job history primes-example-002 | cut -c1-92
cut=$(shown primes-example-002)
sed -n '/^Receipt/,$p' <<< "$cut"

say "The audit"
meshledger audit

say "Compared"
from=$(value "$cut" "resumed from")
[[ -n $from ]] || fail "it began at the beginning"
echo "resumed from  $from"
for name in fuel state; do
    one=$(value "$whole" "$name")
    other=$(value "$cut" "$name")
    echo "$name  $one"
    [[ -n $one && $one == "$other" ]] || fail "$name differs: $one and $other"
done
for name in stdout files/out/primes.txt; do
    one=$(meshledger job outputs primes-example-001 --name "$name" --raw | sha256sum)
    other=$(meshledger job outputs primes-example-002 --name "$name" --raw | sha256sum)
    echo "$name  sha256 ${one%% *}"
    [[ $one == "$other" ]] || fail "$name differs"
done
say "The same output, fuel and final state as if nothing had been. Everything is stopped, and $work is gone"
