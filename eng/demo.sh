#!/usr/bin/env bash
# The whole way of a job on this machine: a node, job files dropped into its folder, what became of them, the audit.
# Everything that it starts is stopped, and everything that it writes beside the build is removed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n== %s\n' "$*"; }

work=$(mktemp -d "${TMPDIR:-/tmp}/meshledger-demo.XXXXXX")
# As root, the private PostgreSQL runs as another user, who must be able to enter.
chmod 711 "$work"
node=
stop_node() {
    [[ -n $node ]] || return 0
    kill -TERM "$node" 2> /dev/null || true
    wait "$node" 2> /dev/null || true
    node=
}
finish() {
    local code=$?
    trap - EXIT INT TERM HUP
    stop_node
    rm -rf "$work"
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

eng/install.sh run

say "Building"
if ! dotnet build src/Tools -c Release -v quiet --nologo > "$work/build.log" 2>&1; then
    cat "$work/build.log" >&2
    exit 1
fi
meshledger() { src/Tools/bin/Release/net10.0/meshledger "$@"; }
export MESHLEDGER_DATA="$work/data"
if [[ -z ${MESHLEDGER_KERNEL:-} ]] && ! compgen -G '/boot/vmlinuz-*-cloud-amd64' > /dev/null; then
    MESHLEDGER_KERNEL=$(compgen -G '/boot/vmlinuz-*' | sort -V | tail -n 1 || true)
    export MESHLEDGER_KERNEL
fi

say "Starting a node with its private PostgreSQL"
src/Tools/bin/Release/net10.0/meshledger up --name demo 2> "$work/node.log" &
node=$!
until grep -q '^meshledger is ready' "$work/node.log"; do
    if ! kill -0 "$node" 2> /dev/null; then
        cat "$work/node.log" >&2
        exit 1
    fi
    sleep 0.1
done
grep -v ' information ' "$work/node.log"

say "Adding the guest programs to the node's blobs"
for program in hello.elf wasi/args.wasm wasi/run.wasm; do
    meshledger blob add "examples/guests/$program"
done

say "Dropping examples/jobs/*.json into the inbox"
ids=()
for file in examples/jobs/*.json; do
    name=${file##*/}
    cp "$file" "$MESHLEDGER_DATA/jobs/inbox/$name.tmp"
    mv "$MESHLEDGER_DATA/jobs/inbox/$name.tmp" "$MESHLEDGER_DATA/jobs/inbox/$name"
    ids+=("$(sed -n 's/^  "job_id": "\([^"]*\)".*/\1/p' "$file")")
    echo "$name -> ${ids[-1]}"
done

say "Waiting for them; exit-three and missing-image are examples of failure"
code=0
meshledger job wait "${ids[@]}" --timeout 120 || code=$?
# 1 says that a job failed, as two of these must; anything else is a fault of the demo.
if ((code != 1)); then
    cat "$work/node.log" >&2
    exit 1
fi

say "All jobs"
meshledger job list
say "One job, in a machine of its own"
meshledger job show hello-vm-example-001
say "Another, in WebAssembly: whoever runs it again gets the same result, fuel and final state"
meshledger job show run-wasm-example-001
say "The whole history of the first"
meshledger job history hello-vm-example-001
say "The workers"
meshledger worker list
say "The accounts"
meshledger account show
say "The audit"
meshledger audit
completed=$(meshledger job list --status completed --output jsonl | wc -l)
if ((completed != ${#ids[@]} - 2)); then
    echo "demo.sh: expected $((${#ids[@]} - 2)) completed jobs, found $completed." >&2
    exit 1
fi

stop_node
say "Stopped. The node, its database and its machines are gone, and so is $work"
