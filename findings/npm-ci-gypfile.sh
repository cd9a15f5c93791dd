#!/usr/bin/env bash
# npm 11.19.1: `npm ci` compiles a package that says "gypfile": false, where `npm install` does not.
#
# Expected: "gypfile": false in package.json means that a binding.gyp beside it is not built at install, however the
# package is installed. Seen: the lock file does not record the field, so `npm ci` runs node-gyp. A package that
# carries binaries, and a binding.gyp for users who compile it by an explicit command, must keep that file out of its root.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts npm@11.19.1
npm="$folder/node_modules/npm/bin/npm-cli.js"
mkdir package application
echo '{ "name": "not-built", "version": "1.0.0", "gypfile": false }' >package/package.json
echo '{ "targets": [] }' >package/binding.gyp
(cd package && node "$npm" pack --silent --pack-destination .. >/dev/null)
cd application
echo '{ "private": true }' >package.json
# Whether npm runs node-gyp. It fails, because this binding.gyp has no target; that does not matter here.
calls() { if grep -q 'node-gyp rebuild' "$1"; then echo 'runs node-gyp'; else echo 'does not run node-gyp'; fi; }
node "$npm" install --foreground-scripts ../not-built-1.0.0.tgz >"$folder/install.log" 2>&1 || true
rm -rf node_modules
node "$npm" ci --foreground-scripts >"$folder/ci.log" 2>&1 || true
seen="npm $(node "$npm" --version): npm install $(calls "$folder/install.log"), npm ci $(calls "$folder/ci.log")"
echo "$seen"
[ "$seen" = 'npm 11.19.1: npm install does not run node-gyp, npm ci runs node-gyp' ] || {
  echo 'this has changed'
  exit 1
}
