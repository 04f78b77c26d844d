#!/bin/sh
# Builds the guests of wasm32-wasi: sh examples/guests/build-wasi.sh [folder...]. The modules are kept in the tree beside
# their sources, so that running the examples and the tests needs no C compiler. They keep their name section, for
# back-traces. Made with Debian 12's clang 16: eng/install.sh test
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for folder in "${@:-$here/wasi}"; do
    for source in "$folder"/*.c; do
        name=$(basename "$source" .c)
        case $name in
            run) more='-nostdlib -Wl,--no-entry' ;;
            simd) more='-msimd128' ;;
            library) more='-mexec-model=reactor' ;;
            *) more= ;;
        esac
        # shellcheck disable=SC2086
        clang-16 --target=wasm32-wasi --sysroot=/usr -std=gnu17 -Wall -Wextra -Werror -O2 -Wl,--strip-debug \
            -o "${source%.c}.wasm" "$source" $more
        chmod 644 "${source%.c}.wasm"
    done
done
