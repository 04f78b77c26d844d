#!/usr/bin/env bash
# Installs what the tests need, builds everything once, and runs all test projects. The last line is always
# "N passed, N failed, N skipped". Exit code 1 if a test failed, or if one was skipped where CI=true.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

results=$(mktemp -d "${TMPDIR:-/tmp}/meshledger-tests.XXXXXX")
trap 'rm -rf "$results"' EXIT

# What the tests make lies under one directory, which goes at the end; the database's user must be able to enter it.
mkdir "$results/tmp"
chmod 711 "$results"
chmod 1777 "$results/tmp"
export TMPDIR="$results/tmp"

# A test process stops its PostgreSQL when it ends, which takes longer than it is given otherwise.
export VSTEST_TESTHOST_SHUTDOWN_TIMEOUT=30000

give_up() {
    echo "$1" >&2
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
}

eng/install.sh test || give_up "test.sh: the tests cannot run without these packages."
dotnet build MeshLedger.sln -c Release -v quiet --nologo > "$results/build.log" 2>&1 || {
    cat "$results/build.log" >&2
    give_up "test.sh: the build failed."
}

run_project() {
    local project=$1 results=$2
    local name=${project##*/}
    if dotnet test "$project/bin/Release/net10.0/MeshLedger.$name.dll" --nologo --logger "trx;LogFileName=$name.trx" \
        --results-directory "$results" > "$results/$name.log" 2>&1; then
        echo "ok      $name"
    else
        echo "FAILED  $name"
        touch "$results/$name.failed"
        cat "$results/$name.log"
    fi
}
export -f run_project

# Two at a time: many of the tests start processes of their own. The longest begins first, and the others run beside it.
{ echo tests/EndToEnd.Tests; printf '%s\n' tests/*.Tests | grep -vx tests/EndToEnd.Tests; } | xargs -P "${MESHLEDGER_TEST_PROJECTS:-2}" -I '{}' bash -c 'run_project "$1" "$2"' _ '{}' "$results"

passed=0 failed=0 skipped=0
for project in tests/*.Tests; do
    name=${project##*/}
    counters=$(grep -o '<Counters [^>]*>' "$results/$name.trx" 2> /dev/null || true)
    count() { sed -n "s/.* $1=\"\([0-9]*\)\".*/\1/p" <<< "$counters"; }
    total=$(count total) ran=$(count executed) good=$(count passed)
    bad=$((${ran:-0} - ${good:-0}))
    # A project that ended badly without a failed test (a crash, a file that is missing) counts as one.
    if [[ -e $results/$name.failed ]] && ((bad == 0)); then
        bad=1
    fi
    passed=$((passed + ${good:-0}))
    failed=$((failed + bad))
    skipped=$((skipped + ${total:-0} - ${ran:-0}))
done

echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0)) || exit 1
[[ ${CI:-} != true ]] || ((skipped == 0)) || exit 1
