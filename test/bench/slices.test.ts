// Tests how forebay and its peers take turns in slices, which are short periods of timing: the order of the slices, and
// which slices are compared.
import { describe, expect, it } from 'vitest';
import { alternate, type Rival, type Runner } from '../../bench/src/slices.js';

/** A simulated machine whose speed changes in each round. It records the names of the slices in order. */
class Machine {
  readonly turns: string[] = [];

  /** Returns a runner. Each of its steps takes `us` microseconds, or twice as long when the machine is slow. */
  runner(name: string, us: number, steps: number): Runner {
    return {
      steps,
      take: async (count) => {
        this.turns.push(name);
        // In every other round, the machine takes twice as long. Each round begins with a probe, so the number of
        // probes is the number of rounds.
        const slow = this.turns.filter((turn) => turn === 'probe').length % 2 === 0 ? 2 : 1;
        return (us * slow * count) / 1e6;
      },
    };
  }

  rival(name: string, us: number, slow = false): Rival {
    return { ...this.runner(name, us, 3), name, slow };
  }

  readonly probe = async () => {
    this.turns.push('probe');
    return this.turns.length;
  };
}

describe('slices', () => {
  it('alternate: forebay before each peer, in every round, after one round to warm up', async () => {
    const machine = new Machine();
    const rivals = [machine.rival('torch', 20), machine.rival('jax', 40)];
    await alternate(machine.runner('own', 10, 5), rivals, 2, machine.probe);
    const round = ['probe', 'own', 'torch', 'own', 'jax'];
    expect(machine.turns).toEqual([...round, ...round, ...round]);
  });

  it('compare only neighbours, so that a round at half speed changes no ratio', async () => {
    const machine = new Machine();
    const rivals = [machine.rival('torch', 20)];
    const slices = await alternate(machine.runner('own', 10, 5), rivals, 4, machine.probe);
    expect(slices.forebay.map(Math.round)).toEqual([20, 10, 20, 10]);
    const pairs = slices.pairs.get('torch') ?? [];
    expect(pairs).toHaveLength(4);
    for (const { peer, forebay } of pairs) expect(peer / forebay).toBeCloseTo(2, 10);
    expect(slices.machine).toHaveLength(4);
  });

  it('leave a slow peer out of the warm-up and of most rounds', async () => {
    const machine = new Machine();
    const rivals = [machine.rival('torch', 20), machine.rival('tfjs', 9e6, true)];
    const slices = await alternate(machine.runner('own', 10, 5), rivals, 6, machine.probe);
    expect(machine.turns.filter((turn) => turn === 'tfjs')).toHaveLength(3);
    expect(slices.pairs.get('tfjs')).toHaveLength(3);
    expect(slices.pairs.get('torch')).toHaveLength(6);
    expect(slices.forebay).toHaveLength(6);
  });

  it('time forebay alone if there is no peer', async () => {
    const machine = new Machine();
    const slices = await alternate(machine.runner('own', 10, 5), [], 2, machine.probe);
    expect(slices.forebay).toHaveLength(2);
    expect(machine.turns).toEqual(['probe', 'own', 'probe', 'own', 'probe', 'own']);
  });
});
