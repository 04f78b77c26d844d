#!/usr/bin/env bash
# Installs the Debian or Ubuntu packages of eng/packages.txt that are missing: eng/install.sh [run|test|bench]
#   run    what a node needs (default)
#   test   what the tests need beside it
#   bench  what the benchmarks need beside it
# As root directly, else through sudo; where that cannot be, it prints the commands and exits 1.
set -euo pipefail

purpose=${1:-run}
case $purpose in
    run) kinds='run' ;;
    test) kinds='run|tests' ;;
    bench) kinds='run|benchmarks' ;;
    *) echo "install.sh: expected run, test or bench, found '$purpose'." >&2; exit 2 ;;
esac

list="${BASH_SOURCE[0]%/*}/packages.txt"
wanted=()
while read -r package _ kind _; do
    [[ $kind =~ ^($kinds):$ ]] || continue
    # Any Node.js at all will do, wherever it comes from.
    [[ $package == nodejs ]] && command -v node > /dev/null && continue
    wanted+=("$package")
done < "$list"

if ! command -v dpkg-query > /dev/null; then
    echo "install.sh: this is neither Debian nor Ubuntu. Install what corresponds to: ${wanted[*]}" >&2
    exit 1
fi

installed=" $(dpkg-query -W -f='${Package}:${db:Status-Status} ' "${wanted[@]}" linux-image-virtual 2> /dev/null || true)"
missing=()
for package in "${wanted[@]}"; do
    [[ $installed == *" $package:installed "* ]] && continue
    # Ubuntu has no kernel of Debian's cloud flavour.
    [[ $package == linux-image-cloud-amd64 && $installed == *" linux-image-virtual:installed "* ]] && continue
    missing+=("$package")
done
((${#missing[@]} == 0)) && exit 0

if grep -qs '^ID=ubuntu' /etc/os-release; then
    missing=("${missing[@]/linux-image-cloud-amd64/linux-image-virtual}")
fi

update=(apt-get update -qq)
install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}")
if ((EUID == 0)); then
    as=()
elif command -v sudo > /dev/null && { sudo -n true 2> /dev/null || [[ -t 0 && -t 2 ]]; }; then
    as=(sudo)
else
    echo "install.sh: packages are missing, and this user may not install them. Run as root:" >&2
    printf '  %s\n' "${update[*]}" "${install[*]}" >&2
    exit 1
fi

echo "Installing: ${missing[*]}" >&2
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
trap 'rm -f "$log"' EXIT

# The tests start a Prometheus of their own; the package's service is to run neither now nor after the next boot. Without
# systemd, it is the policy of Debian's invoke-rc.d that keeps the package's script from being started.
if [[ " ${missing[*]} " == *" prometheus "* ]]; then
    "${as[@]}" mkdir -p /etc/systemd/system
    [[ -e /etc/systemd/system/prometheus.service ]] || "${as[@]}" ln -s /dev/null /etc/systemd/system/prometheus.service
    if [[ ! -d /run/systemd/system && ! -e $policy ]]; then
        trap 'rm -f "$log"; "${as[@]}" rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | "${as[@]}" tee "$policy" > /dev/null
        "${as[@]}" chmod 755 "$policy"
    fi
fi
if ! { "${as[@]}" "${update[@]}" && "${as[@]}" "${install[@]}"; } > "$log" 2>&1; then
    cat "$log" >&2
    echo "install.sh: apt-get failed; its own words stand above." >&2
    exit 1
fi
