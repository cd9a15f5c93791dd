// Native allocations that fail, by a build of the addon whose allocations do so when they are told to.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;
/** Without the library of a sanitizer, which knows nothing of this addon and makes compilers hang. */
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

  // The kinds of call that handled it worst: many arguments, threads, what runs in JavaScript.
  it.each(['manyFeeds', 'asynchronous', 'interpreted'])(
    'is a typed error, after which all is as before: %s',
    (scenario) => {
      const script = 'proof/support/failing-allocations.mjs';
      const { status, stdout, stderr } = node(['--expose-gc', script, 'short', scenario], {
        FOREBAY_ADDON: `${root}.cmake/failing/build/Release/forebay.node`,
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const { sites, errors, codes, by } = JSON.parse(stdout.trim().split('\n').at(-1) as string);
      expect(sites).toBeGreaterThan(500);
      expect(errors).toBeGreaterThan(500);
      expect(codes).toContain('FOREBAY_NATIVE');
      for (const site of ['new', 'new[]', 'posix_memalign', 'napi_create_reference']) {
        expect(by[site], site).toBeGreaterThan(0);
      }
    },
  );
});

describe('the addon', () => {
  // What ends a process when there is no memory: C++ that throws, Node-API's wrappers that give up, and
  // memory that the C library allocates for a thread on the way.
  it.skipIf(process.env.FOREBAY_ADDON)('calls nothing that aborts for want of memory', () => {
    const binary = readFileSync(`${root}build/Release/forebay.node`);
    expect(binary.includes('\0_ZnamRKSt9nothrow_t\0'), 'symbols are found').toBe(true);
    for (const symbol of ['_Znwm', '_Znam', 'napi_fatal_error', '__tls_get_addr']) {
      expect(binary.includes(`\0${symbol}\0`), symbol).toBe(false);
    }
  });

  it('is so too where a process allocates once: threads, and what takes results to JavaScript', () => {
    const script = 'proof/support/failing-allocations.mjs';
    const { status, stdout, stderr } = node(['--expose-gc', script, 'short', 'firstRun'], {
      FOREBAY_ADDON: `${root}.cmake/failing/build/Release/forebay.node`,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { by, survived } = JSON.parse(stdout.trim().split('\n').at(-1) as string);
    expect(by).toMatchObject({
      // That of the run's own thread, and that of the second one for a product, without which one does it all.
      pthread_create: 2,
      napi_create_threadsafe_function: 1,
      napi_add_env_cleanup_hook: 1,
    });
    expect(survived).toBe(1);
  });
});

describe('the result of a run that arrives after the worker has ended', () => {
  it('is dropped: Bun delivers what is queued after the hooks that end an environment', () => {
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
