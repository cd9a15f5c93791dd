// The end of a process with work in flight, by every way that ends one: its exit code, and no crash or hang.
import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const script = new URL('ending.mjs', import.meta.url).pathname;

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it to its end, and sends it SIGTERM, if that is the way, as soon as its work is in flight. */
function ended(way: string, place: string): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, way, place], {
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
  (place) => {
    it.each([
      ['exit', 3, null, /^$/],
      ['throw', 1, null, /thrown on purpose/],
      ['reject', 1, null, /rejected on purpose/],
      ['SIGTERM', null, 'SIGTERM', /^$/],
      ['SIGTERM, handled', 4, null, /^$/],
    ])('ends as Node says: %s', async (way, code, signal, stderr) => {
      const result = await ended(way, place);
      expect(result).toMatchObject({ code, signal });
      expect(result.stderr).toMatch(stderr);
      // Nothing of the work was done: it takes longer than to get there.
      expect(result.stdout).not.toContain('done');
    });

    it('ends by itself when all is done', async () => {
      const { stdout, ...result } = await ended('end', place);
      expect(result).toEqual({ code: 0, signal: null, stderr: '' });
      expect(stdout).toContain('done 2 2 1');
    });
  },
);

describe('a worker with work in flight', () => {
  it('may exit, and the process goes on', async () => {
    const { stdout, ...result } = await ended('exit in the worker', 'worker');
    expect(result).toEqual({ code: 0, signal: null, stderr: '' });
    expect(stdout).toContain('the worker exits 5');
  });

  it('may fail, and the process hears of it', async () => {
    const { code, signal, stderr } = await ended('throw in the worker', 'worker');
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect(stderr).toContain('thrown on purpose');
  });
});
