#!/bin/sh
# Builds guest programs: sh examples/guests/build.sh [folder...]. The results are kept in the tree, so that running the
# examples and the tests needs no C compiler. Made with Debian 12's gcc 12.2: apt-get install gcc linux-libc-dev
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for folder in "${@:-$here}"; do
    for source in "$folder"/*.c; do
        gcc -std=gnu17 -Wall -Wextra -Werror -Wno-unused-function -I "$here" -Os -static -nostdlib -ffreestanding \
            -fno-stack-protector -fno-pie -no-pie -fno-asynchronous-unwind-tables -fcf-protection=none \
            -fno-tree-loop-distribute-patterns -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,noexecstack -s \
            -o "${source%.c}.elf" "$source"
    done
done
