import { describe, expect, it } from 'vitest';
import {
  backward,
  Conv2d,
  compile,
  conv1d,
  crossEntropy,
  Embedding,
  evaluate,
  type Feeds,
  gather,
  input,
  log,
  Module,
  mean,
  type Node,
  Sequential,
  softmaxCrossEntropy,
  substitute,
  sum,
  tensor,
} from '../../src/index.js';
import { errorOf } from '../support.js';

/** Returns the messages of `evaluate` and of a program, without the number of the run and what was written. */
function messages(node: Node, feeds: Feeds): string[] {
  const program = compile({ outputs: { node } });
  return [
    errorOf(() => evaluate(node, feeds)).message,
    errorOf(() => program.run(feeds))
      .message.replace('run 0: ', '')
      .replace('; the run has written nothing', ''),
  ];
}

const both = (message: unknown) => [message, message];
const ids = (texts: readonly string[]) => texts.map((text) => text.replace(/#\d+/g, '#'));

const tokens = input('tokens', ['batch'], { dtype: 'int32' });

describe('the error of a run', () => {
  it('names the layer, if an embedding gets a token out of range', () => {
    const model = new Sequential('net', [new Embedding('net.tokens', { inputs: 3, units: 2 })]);
    expect(ids(messages(model.apply(tokens), { tokens: [0, 7] }))).toEqual(
      both(
        "[gather #] in [Embedding 'net.tokens']: element 1 of the indices is 7, but the valid indices of axis 0 are from -3 to 2",
      ),
    );
  });

  it('names the loss and its label, if a label is not a class', () => {
    const logits = input('logits', ['batch', 3]);
    const feeds = { logits: [[1, 2, 3]], tokens: [3] };
    for (const loss of [crossEntropy, softmaxCrossEntropy]) {
      const named = loss(logits, tokens).named('loss');
      expect(ids(messages(named, feeds))).toEqual(
        both(expect.stringContaining(`[takeLabels #] of [${loss.name} 'loss']: the label`)),
      );
    }
    expect(ids(messages(crossEntropy(logits, tokens), feeds))).toEqual(
      both(expect.stringContaining('[takeLabels #] of [crossEntropy #]: the label of row 0')),
    );
  });

  it('names the layer of a convolution, and the function that it calls', () => {
    const layer = new Conv2d('net.conv', { inputs: 1, filters: 2, size: 3 });
    const x = input('x', ['batch', 1, 'height', 4]);
    const feeds = { x: [[[[1, 2, 3, 4]]]] };
    expect(ids(messages(layer.apply(x), feeds))).toEqual(
      both(
        expect.stringMatching(
          /^\[conv2d #\] in \[Conv2d 'net\.conv'\] has shape \[batch, 2, height - 2, 2\]/,
        ),
      ),
    );
  });

  it('names the function whose op has another name, and the function that reshapes its result', () => {
    const x = input('x', ['batch', 1, 'length']);
    const y = conv1d(x, tensor([[[1, 2, 3]]])).named('y');
    expect(ids(messages(y, { x: [[[1]]] }))).toEqual(
      both(expect.stringMatching(/^\[convolution #\] of \[conv1d 'y'\] has shape/)),
    );
  });

  it('names only the op, if the user calls nothing else', () => {
    const table = input('table', [2]);
    expect(ids(messages(gather(table, tokens), { table: [1, 2], tokens: [2] }))).toEqual(
      both(expect.stringMatching(/^\[gather #\]: element 0/)),
    );
  });

  it('names the layer in whose forward an op is called, and in it the outermost function', () => {
    class Net extends Module {
      forward(logits: Node, labels: Node): Node {
        return softmaxCrossEntropy(log(logits), labels).named('loss');
      }
    }
    const loss = new Net('net').apply(input('logits', ['batch', 2]), tokens);
    expect(ids(messages(loss, { logits: [[1, 2]], tokens: [5] }))).toEqual(
      both(
        expect.stringMatching(
          /^\[takeLabels #\] of \[softmaxCrossEntropy 'loss'\] in \[Net 'net'\]/,
        ),
      ),
    );
    const program = compile({ outputs: { loss } });
    const { message } = errorOf(() =>
      program.run({ logits: [[0, 2]], tokens: [1] }, { checkFinite: true }),
    );
    expect(message).toMatch(/^run 0: \[log #\d+\] in \[Net 'net'\] is -Infinity at \[0, 0\]/);
  });

  it('names the composed op, and not only the op of its expansion', () => {
    const m = mean(input('x', ['n'])).named('m');
    const program = compile({ outputs: { m } });
    const { message } = errorOf(() => program.run({ x: [3e38, 3e38] }, { checkFinite: true }));
    expect(message).toMatch(/^run 0: \[\w+ #\d+\] of \[mean 'm'\] is Infinity/);
  });

  it('names the node of a gradient', () => {
    const layer = new Embedding('net.tokens', { inputs: 3, units: 2 });
    const gradient = backward(sum(layer.apply(tokens))).of(layer.weight);
    expect(ids(messages(gradient, { tokens: [9] }))).toEqual(
      both(
        expect.stringMatching(/^\[scatterAdd #\] of \[gather #\] in \[Embedding 'net.tokens'\]/),
      ),
    );
  });

  it('names the same call in a graph that substitute makes', () => {
    const layer = new Embedding('net.tokens', { inputs: 3, units: 2 });
    const y = substitute(layer.apply(tokens), new Map([[layer.weight, input('w', [3, 2])]]));
    const feeds = {
      tokens: [9],
      w: [
        [0, 0],
        [0, 0],
        [0, 0],
      ],
    };
    expect(ids(messages(y, feeds))).toEqual(
      both(expect.stringMatching(/^\[gather #\] in \[Embedding 'net.tokens'\]: element 0/)),
    );
  });
});
