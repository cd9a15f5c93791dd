// Runs the coverage-guided fuzzer of programs: `npm run check:fuzz [-- SECONDS]`, one minute by default. The fuzzer
// starts with the inputs of native/test/fuzz/corpus. It writes new inputs to .cmake/fuzz/found, and an input that
// breaks forebay to .cmake/fuzz/broken-…. To repeat such an input, run .cmake/fuzz/build/forebay_fuzz FILE. To add the
// new inputs to the corpus, run `npm run check:fuzz -- --merge`, which keeps the corpus as small as possible.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const folder = '.cmake/fuzz/build';
const fuzzer = `${folder}/forebay_fuzz`;
const corpus = 'native/test/fuzz/corpus';
const found = '.cmake/fuzz/found';

const succeeds = (command, args, stdio = 'inherit') =>
  spawnSync(command, args, { stdio }).status === 0;

/**
 * Returns the Debian package that fuzzing needs and this machine lacks; undefined if it lacks none. libFuzzer is not in
 * the package of clang.
 */
export function missing() {
  const { status } = spawnSync('clang++-14', ['-print-file-name=libclang_rt.fuzzer-x86_64.a'], {});
  if (status !== 0) return 'clang-14';
  const args = ['-x', 'c++', '-fsanitize=fuzzer,address,undefined', '-o', '/dev/null', '-'];
  const input = 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }';
  return spawnSync('clang++-14', args, { input }).status === 0 ? undefined : 'libclang-rt-14-dev';
}

function build() {
  const options = ['-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DCMAKE_CXX_COMPILER=clang++-14'].concat([
    '-DFOREBAY_ADDON=OFF',
    '-DFOREBAY_FUZZ=ON',
    '-DFOREBAY_SANITIZE=address',
  ]);
  return (
    succeeds('cmake', ['-S', '.', '-B', folder, ...options]) &&
    succeeds('cmake', ['--build', folder, '--parallel', '2', '--target', 'forebay_fuzz'])
  );
}

const limits = ['-max_len=2048', '-timeout=60', '-rss_limit_mb=4096', '-print_final_stats=1'];

function fuzz(seconds) {
  mkdirSync(found, { recursive: true });
  const where = [`-max_total_time=${seconds}`, '-artifact_prefix=.cmake/fuzz/broken-'];
  return succeeds(fuzzer, [found, corpus, ...limits, ...where]);
}

function merge() {
  const merged = `${corpus}.merged`;
  rmSync(merged, { recursive: true, force: true });
  mkdirSync(merged);
  if (!succeeds(fuzzer, ['-merge=1', ...limits, merged, corpus, found])) return false;
  rmSync(corpus, { recursive: true, force: true });
  renameSync(merged, corpus);
  console.log(`${readdirSync(corpus).length} inputs in ${corpus}`);
  return true;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [word = '60'] = process.argv.slice(2);
  const lacks = missing();
  if (lacks !== undefined) {
    console.error(`the fuzzer needs ${lacks}: apt-get install clang-14 libclang-rt-14-dev`);
    process.exit(2);
  }
  if (word !== '--merge' && !/^[1-9]\d*$/.test(word)) {
    console.error(`expected a positive integer of seconds or --merge, but got '${word}'`);
    process.exit(2);
  }
  process.exitCode = build() && (word === '--merge' ? merge() : fuzz(word)) ? 0 : 1;
}
