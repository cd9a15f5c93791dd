import { describe, expect, it } from 'vitest';
import {
  adam,
  Dense,
  Dropout,
  GRU,
  GraphError,
  inference,
  input,
  Module,
  MultiHeadAttention,
  mean,
  type Node,
  parameter,
  relu,
  type Scope,
  Sequential,
  StateError,
  scope,
  sgd,
  training,
  type Updates,
  ValueError,
  type Variable,
} from '../../src/index.js';
import { errorOf } from '../support.js';

class Net extends Module {
  readonly blocks: Dense[];
  readonly heads: Map<string, Dense>;
  readonly scale: Variable;
  constructor(name: string | Scope, depth = 2) {
    super(name);
    this.blocks = Array.from(
      { length: depth },
      (_, i) => new Dense(this.scope('blocks').at(i), { inputs: 3, units: 3 }),
    );
    const head = new Dense(this.scope('head'), { inputs: 3, units: 1, bias: false });
    this.heads = new Map([
      ['first', head],
      ['again', head],
    ]);
    this.scale = parameter(`${this.name}.scale`, [1]);
  }
  forward(x: Node): Node {
    const last = this.blocks.reduce((h, block) => relu(block.apply(h)), x);
    return this.heads.get('first')?.apply(last) as Node;
  }
}

const x = () => input('x', [2, 3]);

describe('the entries of a module', () => {
  it('are the variables in its fields, by paths relative to it, each once', () => {
    const net = new Net('net');
    expect([...net.entries().keys()]).toEqual([
      'blocks.0.weight',
      'blocks.0.bias',
      'blocks.1.weight',
      'blocks.1.bias',
      'head.weight',
      'scale',
    ]);
    expect(net.blocks[0]?.weight.name).toBe('net.blocks.0.weight');
    expect(net.parameters).toEqual([...net.entries().values()]);
    expect(net.states).toEqual([]);
    expect(net.children.map(({ name }) => name)).toEqual([
      'net.blocks.0',
      'net.blocks.1',
      'net.head',
    ]);
  });

  it('of a module that is not below it have the path of the field', () => {
    class Outer extends Module {
      readonly body = new Net('elsewhere', 1);
      forward(h: Node) {
        return this.body.apply(h);
      }
    }
    expect([...new Outer('outer').entries().keys()]).toEqual([
      'body.blocks.0.weight',
      'body.blocks.0.bias',
      'body.head.weight',
      'body.scale',
    ]);
  });

  it('are found in a cycle of modules', () => {
    class Ring extends Module {
      other: Ring | undefined;
      readonly own = this.parameter('own', { shape: [1], init: (_s, o) => zeros(o) });
      forward(h: Node) {
        return h;
      }
    }
    const [a, b] = [new Ring('a'), new Ring('b')];
    a.other = b;
    b.other = a;
    expect([...a.entries().keys()]).toEqual(['other.own', 'own'].sort());
  });
});

const zeros = ({ dtype }: { dtype: string }) => {
  if (dtype !== 'float32') throw new Error(dtype);
  return parameter('z', [0]).value;
};

describe('a scope', () => {
  it('gives its dtype, seed and initialiser to the modules below', () => {
    const net = new Net(scope('net', { dtype: 'float64', seed: 7 }));
    expect(net.blocks[0]?.weight.dtype).toBe('float64');
    const other = new Net(scope('net', { dtype: 'float64', seed: 7 }));
    expect(other.blocks[0]?.weight.value.data).toEqual(net.blocks[0]?.weight.value.data);
    const third = new Net(scope('net', { dtype: 'float64', seed: 8 }));
    expect(third.blocks[0]?.weight.value.data).not.toEqual(net.blocks[0]?.weight.value.data);
  });

  it('with a module refuses another one, and names both', () => {
    const one = scope('one');
    new Dense(one, { inputs: 1, units: 1 });
    const error = errorOf(() => new Net(one));
    expect(error).toBeInstanceOf(ValueError);
    expect(error.message).toBe(
      "scope 'one': a Dense has this scope already, so a Net cannot have it; give each module a key of its own",
    );
  });

  it.each<[string, (at: Scope, wrong: boolean) => Module]>([
    ['Dense', (at, wrong) => new Dense(at, { inputs: wrong ? 0 : 1, units: 1 })],
    ['Dropout', (at, wrong) => new Dropout(at, { rate: wrong ? 2 : 0.5 })],
    ['Sequential', (at, wrong) => new Sequential(at, [wrong ? (7 as never) : relu])],
    [
      'MultiHeadAttention',
      (at, wrong) => new MultiHeadAttention(at, { features: 4, heads: wrong ? 3 : 2 }),
    ],
    [
      'Net',
      (at, wrong) =>
        new (class extends Module {
          readonly first = new Dense(this.scope('first'), { inputs: 1, units: 1 });
          readonly second = new Dense(this.scope('second'), { inputs: 1, units: wrong ? 0 : 1 });
          forward(x: Node) {
            return this.second.apply(this.first.apply(x));
          }
        })(at),
    ],
    ['GRU', (at, wrong) => new GRU(at, { inputs: 1, units: 1, layers: wrong ? 0 : 2 })],
  ])('is free again if the constructor of its module throws: %s', (_kind, make) => {
    const net = scope('net');
    const at = net.scope('layer');
    expect(errorOf(() => make(at, true)).message).not.toContain('has this scope already');
    const made = make(at, false);
    expect(errorOf(() => make(at, false)).message).toContain('has this scope already');
    expect(made.name).toBe('net.layer');
  });

  it('is not taken from a module that catches the error of another one', () => {
    class Tolerant extends Module {
      readonly head: Dense;
      constructor(at: Scope) {
        super(at);
        errorOf(() => new Dense(this.scope('head'), { inputs: 0, units: 1 }));
        this.head = new Dense(this.scope('head'), { inputs: 1, units: 1 });
      }
      forward(x: Node) {
        return this.head.apply(x);
      }
    }
    const at = scope('net');
    const beside = new Dense(at.scope('beside'), { inputs: 1, units: 1 });
    const net = new Tolerant(at);
    net.apply(input('x', [1, 1]));
    expect(errorOf(() => new Tolerant(at)).message).toContain('has this scope already');
    const other = scope('other');
    const first = new Tolerant(other);
    const second = new Tolerant(other);
    second.apply(input('x', [1, 1]));
    expect(errorOf(() => first.apply(input('x', [1, 1]))).message).toContain(
      "scope 'other': a Tolerant has this scope already",
    );
    beside.apply(input('x', [1, 1]));
  });

  it.each([[''], ['a.b'], [7]])('refuses the key %o', (key) => {
    expect(errorOf(() => scope('net').scope(key as string))).toBeInstanceOf(ValueError);
  });
});

it('a field that cannot be read is refused', () => {
  const { proxy, revoke } = Proxy.revocable(new Map(), {});
  revoke();
  class Odd extends Module {
    readonly unreadable = {
      get layer(): never {
        throw new Error('so');
      },
    };
    forward(h: Node) {
      return h;
    }
  }
  const error = errorOf(() => new Odd('odd').entries());
  expect(error).toBeInstanceOf(ValueError);
  expect(error.message).toContain("[Odd 'odd']: the field unreadable: an object");
  const net = Object.assign(new Net('net'), { proxy });
  expect(net.entries().size).toBe(6);
});

describe('a module that no field holds', () => {
  class Hides extends Module {
    readonly #dense = new Dense(this.scope('dense'), { inputs: 3, units: 3 });
    forward(h: Node) {
      return this.#dense.apply(h);
    }
  }
  class Borrows extends Module {
    readonly #dense = new Dense('borrowed', { inputs: 3, units: 3 });
    forward(h: Node) {
      return this.#dense.apply(h);
    }
  }
  it.each([
    ['below its scope', Hides, "[Hides 'm']: no field holds [Dense 'm.dense']"],
    ['with a name of its own', Borrows, "[Borrows 'm']: no field holds [Dense 'borrowed']"],
  ])('is a GraphError at the first apply: %s', (_what, Kind, message) => {
    const module = new Kind('m');
    for (const _time of ['first', 'second']) {
      const error = errorOf(() => module.apply(x()));
      expect(error).toBeInstanceOf(GraphError);
      expect(error.message).toContain(message);
    }
  });
});

describe('freeze', () => {
  it('chooses parameters by a function of the variable and its path', () => {
    const net = new Net('net');
    net.freeze((_variable, path) => path.startsWith('blocks.0'));
    expect([net.blocks[0]?.frozen, net.blocks[1]?.frozen, net.frozen]).toEqual([
      true,
      false,
      false,
    ]);
    net.freeze();
    expect(net.frozen).toBe(true);
    net.unfreeze();
    expect(net.blocks[0]?.frozen).toBe(false);
  });
});

describe('training and inference', () => {
  it('return what the function returns, and refuse a promise', () => {
    expect(training(() => inference(() => 7))).toBe(7);
    for (const mode of [training, inference]) {
      const failing = async () => Promise.reject(new Error('unhandled'));
      const error = errorOf(() => mode(failing));
      expect(error).toBeInstanceOf(ValueError);
      expect(error.message).toContain('returned a promise');
    }
  });
});

describe('a frozen parameter', () => {
  const loss = (net: Net) => mean(net.apply(x()));
  const optimizers: [string, (loss: Node, parameters: Variable[]) => Updates][] = [
    ['sgd', (root, parameters) => sgd(root, parameters, { rate: 1 })],
    ['adam', (root, parameters) => adam(root, parameters)],
  ];
  it.each(optimizers)('is left out by %s', (_name, optimizer) => {
    const net = new Net('net');
    net.blocks[0]?.freeze();
    const updates = optimizer(loss(net), net.parameters.slice(0, -1));
    const written = updates.map(([leaf]) => leaf).filter(({ kind }) => kind === 'parameter');
    expect(written.map(({ name }) => name)).toEqual([
      'net.blocks.1.weight',
      'net.blocks.1.bias',
      'net.head.weight',
    ]);
  });

  it.each(optimizers)('alone in a list is refused by %s, like an empty list', (name, optimizer) => {
    const net = new Net('net');
    net.freeze();
    const frozen = errorOf(() => optimizer(loss(net), net.parameters));
    expect(frozen).toBeInstanceOf(ValueError);
    expect(frozen.message).toBe(
      `${name}: all 6 parameters are frozen, such as [parameter 'net.blocks.0.weight'], so nothing would be trained; call unfreeze() on their module first`,
    );
    expect(errorOf(() => optimizer(loss(net), []))).toBeInstanceOf(ValueError);
  });

  it('cannot be frozen while updates train it; the others stay as they are', () => {
    const net = new Net('net');
    sgd(loss(net), net.blocks[1]?.parameters as Variable[], { rate: 1 });
    const error = errorOf(() => net.freeze());
    expect(error).toBeInstanceOf(StateError);
    expect(error.message).toBe(
      "[Net 'net'] freeze: updates that were built before train [parameter 'net.blocks.1.weight'], and would still train it; freeze it before the optimizer is built",
    );
    expect(net.blocks[0]?.frozen).toBe(false);
    net.freeze((_variable, path) => path.startsWith('blocks.0'));
    expect(net.blocks[0]?.frozen).toBe(true);
  });

  it('is not recorded as trained if the optimizer refuses its list', () => {
    const net = new Net('net');
    errorOf(() => sgd(loss(net), net.parameters, { rate: 1 })); // no gradient reaches `scale`
    net.freeze();
    expect(net.frozen).toBe(true);
  });
});
