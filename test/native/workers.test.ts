// Tests eight worker threads that train at once, in a separate process. They are terminated and started again.
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';

const script = new URL('../../proof/support/workers.mjs', import.meta.url).pathname;

describe('eight worker threads', () => {
  // With 'elsewhere', only workers load the addon, so it is unloaded when the last worker ends.
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
