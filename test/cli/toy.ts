/** A demo for the tests of the command. It trains nothing, but uses all kinds of options and output. */

import { setTimeout } from 'node:timers/promises';
import { defineDemo, type Registry } from '../../src/cli/demo.js';
import { choice, file, flag, folder, integer, real, seedList } from '../../src/cli/options.js';
import { findDigits } from '../../src/data/digits.js';
import { ValueError } from '../../src/errors.js';
import { parameter } from '../../src/index.js';

export const demo = defineDemo({
  name: 'toy',
  summary: 'writes one of each kind of file',
  options: {
    epochs: integer({ help: 'how long', default: 3 }),
    hiddenUnits: integer({ help: 'how wide', default: 5, min: 1, max: 99 }),
    rate: real({ help: 'how fast', default: 0.1, above: 0 }),
    recipe: choice(['seed', 'default'], { help: 'which way', default: 'default' }),
    seeds: seedList({ help: 'which seeds', default: '1-3' }),
    data: folder({ help: 'where the digits are' }),
    load: file({ help: 'where it was saved' }),
    loud: flag({ help: 'says more' }),
    fail: choice(['no', 'typed', 'digits', 'bug', 'hang'], { help: 'how to end', default: 'no' }),
  },
  async run({ options, seed, progress, say, write, model, picture, graph, metrics }) {
    if (options.fail === 'typed') throw new ValueError('toy: expected more, but received less');
    if (options.fail === 'digits') findDigits({ data: options.data });
    if (options.fail === 'bug') throw new TypeError('a mistake in the program');
    const bar = progress(options.epochs, 'training');
    for (let epoch = 0; epoch < options.epochs; epoch++) {
      bar.advance(1, 1 / (1 + epoch));
      if (options.fail === 'hang') {
        say('hanging');
        await setTimeout(60_000);
      }
    }
    bar.done();
    say(`rate ${options.rate}, ${options.recipe}, seeds ${options.seeds.join(' ')}`);
    if (options.loud) say(`${options.hiddenUnits} units`);
    write('notes.txt', 'notes\n');
    model([parameter('w', [seed, 2])], { units: String(options.hiddenUnits) });
    await picture(
      'square',
      '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="2"><rect width="2" height="2" fill="#f00"/></svg>',
    );
    await graph('model', 'digraph { x -> y }');
    metrics({ rate: options.rate, nested: { values: Float32Array.of(0.5, seed) } });
    metrics({ lost: [Number.NaN, Number.POSITIVE_INFINITY] });
  },
});

export const registry: Registry = { toy: () => Promise.resolve({ demo }) };
