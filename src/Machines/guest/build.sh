#!/bin/sh
# Builds the guest's init. The result is kept in the tree, so that building and running MeshLedger needs no C compiler.
# Made with Debian 12's gcc 12.2: apt-get install gcc linux-libc-dev
set -eu
cd "$(dirname "$0")"
gcc -std=gnu17 -Wall -Wextra -Werror -Wno-main -Os -static -nostdlib -ffreestanding -fno-stack-protector -fno-pie \
    -no-pie -fno-asynchronous-unwind-tables -fcf-protection=none -fno-tree-loop-distribute-patterns \
    -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,noexecstack -s -o init.elf init.c
