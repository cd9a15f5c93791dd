#!/usr/bin/env bash
# Deno 2.9.6: process.report names glibc 2.38 on every Linux.
#
# Expected: header.glibcVersionRuntime of process.report.getReport() is the version of the system's C library, as in
# Node. Code that chooses a native binary reads it. Seen: Deno returns 2.38 on a system with glibc 2.36. Such code would
# choose a binary that needs 2.37 or 2.38, and the binary would not load.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts deno@2.9.6
system=$(getconf GNU_LIBC_VERSION)
[ "$system" != 'glibc 2.38' ] || { echo 'this system has glibc 2.38, so nothing can be told apart here'; exit 2; }
cat >report.mjs <<'JS'
import process from 'node:process';

console.log(process.report.getReport().header.glibcVersionRuntime);
JS
seen=$(node_modules/@deno/linux-*-glibc/deno run --allow-all report.mjs)
echo "the system has $system; Deno says $seen"
[ "$seen" = '2.38' ] || { echo 'this has changed'; exit 1; }
