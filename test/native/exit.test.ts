// Ends a process while work is in flight, in each way in which a process can end. The process must not crash or hang,
// and its exit code must be the one that Node.js gives in this case.
import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const script = new URL('ending.mjs', import.meta.url).pathname;

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs ending.mjs to its end. If `way` starts with SIGTERM, sends this signal as soon as the work is in flight. */
function ended(way: string, thread: string): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, way, thread], {
      timeout: 100_000,
      killSignal: 'SIGKILL',
    });
    const said = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said.stdout += text;
      if (way.startsWith('SIGTERM') && said.stdout.includes('started')) child.kill('SIGTERM');
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said.stderr += text;
    });
    child.on('close', (code, signal) => resolve({ code, signal, ...said }));
  });
}

describe.each(['main', 'worker'])(
  'a process with runs, a fit and a predict in flight in a %s thread',
  (thread) => {
    it.each([
      ['exit', 3, null, /^$/],
      ['throw', 1, null, /thrown on purpose/],
      ['reject', 1, null, /rejected on purpose/],
      ['SIGTERM', null, 'SIGTERM', /^$/],
      ['SIGTERM, handled', 4, null, /^$/],
    ])('ends with the exit status of Node: %s', async (way, code, signal, stderr) => {
      const result = await ended(way, thread);
      expect(result).toMatchObject({ code, signal });
      expect(result.stderr).toMatch(stderr);
      // The process ended while work was in flight, so it must not report that the work is done.
      expect(result.stdout).not.toContain('done');
    });

    it('ends by itself when all work is done', async () => {
      const { stdout, ...result } = await ended('end', thread);
      expect(result).toEqual({ code: 0, signal: null, stderr: '' });
      expect(stdout).toContain('done 2 2 1');
    });
  },
);

describe('a worker with work in flight', () => {
  it('may exit, and the process continues', async () => {
    const { stdout, ...result } = await ended('exit in the worker', 'worker');
    expect(result).toEqual({ code: 0, signal: null, stderr: '' });
    expect(stdout).toContain('the worker exits 5');
  });

  it('may throw, and the process receives the error', async () => {
    const { code, signal, stderr } = await ended('throw in the worker', 'worker');
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect(stderr).toContain('thrown on purpose');
  });
});
