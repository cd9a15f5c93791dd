// Tests native allocations that fail, with a build of the addon in which allocations can be made to fail.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;
/**
 * Runs Node.js without a sanitizer in LD_PRELOAD. The addon of these tests is not built with a sanitizer, and with one
 * in LD_PRELOAD, compilers that Node.js starts would hang.
 */
const node = (args: string[], env: NodeJS.ProcessEnv = {}) =>
  spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, FOREBAY_ADDON: undefined, LD_PRELOAD: undefined, ...env },
  });

describe('a native allocation that fails', () => {
  beforeAll(() => {
    const { status, stdout, stderr } = node(['tools/build.mjs', 'failing']);
    expect(status, stdout + stderr).toBe(0);
  });

  // When this test was written, these scenarios had the most failed allocations. They use many arguments, threads, and
  // code that runs in JavaScript.
  it.each(['manyFeeds', 'asynchronous', 'interpreted'])(
    'is a typed error that changes nothing: %s',
    (scenario) => {
      const script = 'proof/support/failing-allocations.mjs';
      const { status, stdout, stderr } = node(['--expose-gc', script, 'short', scenario], {
        FOREBAY_ADDON: `${root}.cmake/failing/build/Release/forebay.node`,
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const { failures, errors, codes, failuresIn } = JSON.parse(
        stdout.trim().split('\n').at(-1) as string,
      );
      expect(failures).toBeGreaterThan(500);
      expect(errors).toBeGreaterThan(500);
      expect(codes).toContain('FOREBAY_NATIVE');
      for (const site of ['new', 'new[]', 'posix_memalign', 'napi_create_reference']) {
        expect(failuresIn[site], site).toBeGreaterThan(0);
      }
    },
  );
});

describe('the addon', () => {
  // Three things abort a process when memory runs out: C++ allocations that throw, the C++ wrappers of Node-API, and
  // memory that the C library allocates for thread-local variables. The symbols below belong to them.
  it.skipIf(process.env.FOREBAY_ADDON)('calls nothing that aborts when memory runs out', () => {
    const binary = readFileSync(`${root}build/Release/forebay.node`);
    expect(binary.includes('\0_ZnamRKSt9nothrow_t\0'), 'symbols are found').toBe(true);
    for (const symbol of ['_Znwm', '_Znam', 'napi_fatal_error', '__tls_get_addr']) {
      expect(binary.includes(`\0${symbol}\0`), symbol).toBe(false);
    }
  });

  it('also throws a typed error if an allocation of the first run fails: threads, and the callback into JavaScript', () => {
    const script = 'proof/support/failing-allocations.mjs';
    const { status, stdout, stderr } = node(['--expose-gc', script, 'short', 'firstRun'], {
      FOREBAY_ADDON: `${root}.cmake/failing/build/Release/forebay.node`,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { failuresIn, survived } = JSON.parse(stdout.trim().split('\n').at(-1) as string);
    expect(failuresIn).toMatchObject({
      // One thread is started for the run and one for a product. If the second cannot be started, the first thread
      // computes the whole product.
      pthread_create: 2,
      napi_create_threadsafe_function: 1,
      napi_add_env_cleanup_hook: 1,
    });
    expect(survived).toBe(1);
  });
});

describe('the result of a run that arrives after the worker has ended', () => {
  it('is dropped, because Bun delivers queued results after the cleanup hooks of an environment', () => {
    const { status, signal, stdout, stderr } = spawnSync(
      process.execPath,
      ['test/native/late.mjs'],
      {
        cwd: root,
        encoding: 'utf8',
        env: {
          ...process.env,
          LD_PRELOAD: undefined,
          FOREBAY_ADDON: `${root}.cmake/failing/build/Release/forebay.node`,
        },
      },
    );
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
    expect(stdout).toBe('3 held, 0 left\n'.repeat(5));
  });
});
