// Tests forebay in several processes: forked processes that exchange the data of tensors, the workers of a cluster, and
// child processes that are started while runs are in flight.
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { child } from './child.js';

const forked = new URL('forked.mjs', import.meta.url).pathname;
/** The forked processes train on tasks that `task` makes. This process trains on the same tasks, for comparison. */
const { task, train } = (await import(forked)) as {
  task(seed: number): object;
  train(task: object): Promise<object>;
};

describe('a forked process', () => {
  it('trains the data that it is sent, with the same bits as this process', async () => {
    const processes = await Promise.all(
      [1, 2].map(async () => {
        const started = fork(forked, { serialization: 'advanced' });
        await once(started, 'message');
        return started;
      }),
    );
    // With the serialization 'advanced', messages contain typed arrays, and no number is converted to text.
    const results = await Promise.all(
      processes.map(async (started, seed) => {
        started.send(task(seed));
        return (await once(started, 'message'))[0];
      }),
    );
    expect(results).toEqual([await train(task(0)), await train(task(1))]);
    expect(results[0]).not.toEqual(results[1]);
    const [one, other] = processes as [(typeof processes)[0], (typeof processes)[0]];
    one.send({ seed: 1, x: new Float32Array(3), target: new Float64Array(1) });
    expect((await once(one, 'message'))[0]).toMatchObject({ code: 'FOREBAY_DTYPE' });
    one.send('leave');
    other.send('leave');
    expect(await Promise.all([once(one, 'exit'), once(other, 'exit')])).toEqual([
      [0, null],
      [0, null],
    ]);
  });
});

describe('a cluster', () => {
  it('has workers that each train, even if others are killed', () => {
    const script = new URL('clustered.mjs', import.meta.url).pathname;
    const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      same: [true, true, true],
      again: [true, true],
      exits: Array.from({ length: 5 }, () => [0, null]),
    });
  });
});

describe('a process with runs in flight', () => {
  it('may start other processes, without an effect on its runs', () => {
    const { status, stdout, stderr } = child(`
      import { spawn } from 'node:child_process';
      import { once } from 'node:events';
      fb.setThreads(3);
      const w = fb.state('w', fb.Tensor.ones([256, 256]));
      const program = fb.compile({ outputs: { y: fb.sum(fb.matmul(w, w)) }, updates: [[w, fb.mul(w, 1)]] });
      let running = true;
      const runs = (async () => { let count = 0; for (; running; count++) await program.runAsync(); return count; })();
      const said = await Promise.all(Array.from({ length: 12 }, async (_, i) => {
        const echo = spawn('echo', [String(i)]);
        const [[text], [code]] = await Promise.all([once(echo.stdout, 'data'), once(echo, 'exit')]);
        program.runAsync();
        return Number(text) + code;
      }));
      running = false;
      const { y } = await program.runAsync();
      console.log(JSON.stringify({ said, ran: (await runs) > 0, y: y.item() }));
    `);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      said: Array.from({ length: 12 }, (_, i) => i),
      ran: true,
      y: 256 ** 3,
    });
  });
});
