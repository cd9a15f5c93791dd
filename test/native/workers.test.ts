// Eight worker threads that train at once, are terminated and are started again, in a separate process.
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const script = new URL('../../proof/support/workers.mjs', import.meta.url).pathname;

describe('eight worker threads', () => {
  // If only workers load the addon, it is unloaded with the last of them.
  it.each(['here', 'elsewhere'])(
    'give the same bits as alone, before and after eight others were terminated (the main thread trains %s)',
    (where) => {
      const args = ['--expose-gc', script, '1', where];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(JSON.parse(stdout)).toMatchObject({ workers: 8, terminated: 8 });
    },
  );
});
