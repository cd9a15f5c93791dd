/**
 * The odd values, such as revoked proxies and detached arrays, with which odd-values.test.ts calls every public
 * function, and functions that put these values into calls.
 */

import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import {
  backward,
  compile,
  dot,
  evaluate,
  ForebayError,
  input,
  Node,
  Program,
  sum,
  tensor,
} from '../../src/index.js';

/** The getters and traps of odd values throw this error. No public function may throw it. */
export class Hostile extends Error {}

const hostile = (): never => {
  throw new Hostile('thrown by an odd value');
};

/**
 * Returns a proxy all of whose traps throw, except that a proxied function can be called. If the call threw an error,
 * forebay would pass it on unchanged, because it passes on the errors of a user's callback.
 */
const allTraps = (target: object) =>
  new Proxy(
    target,
    new Proxy(
      {},
      { get: (_, trap) => (trap === 'apply' ? () => 7 : hostile) },
    ) as ProxyHandler<object>,
  );

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function detached(): Float32Array {
  const data = new Float32Array(4);
  structuredClone(data, { transfer: [data.buffer] });
  return data;
}

class Strange {
  readonly rate = 1;
}

/** Functions that create the odd values. Each call gets a new value, because a call may change its arguments. */
export const oddValues: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '-Infinity': () => Number.NEGATIVE_INFINITY,
  '-1': () => -1,
  '0.5': () => 0.5,
  '2 ** 53': () => 2 ** 53,
  "''": () => '',
  "'x'": () => 'x',
  true: () => true,
  '[]': () => [],
  '{}': () => ({}),
  '[[]]': () => [[]],
  '[null]': () => [null],
  '[symbol]': () => [Symbol('odd')],
  'a symbol': () => Symbol('odd'),
  'a bigint': () => 3n,
  'a function': () => () => 7,
  'an instance of a class': () => new Strange(),
  'a Date': () => new Date(0),
  'a Map': () => new Map([['rate', 1]]),
  'a revoked proxy': () => revoked({}),
  'a revoked proxy of an array': () => revoked([]),
  'an object whose getters throw': () => {
    const names = ['rate', 'shape', 'length', 'dtype', 'x', 'w'];
    const getters = names.map((name) => [name, { get: hostile, enumerable: true }]);
    return Object.defineProperties({}, Object.fromEntries(getters));
  },
  'a proxy whose traps throw': () => allTraps({}),
  'a proxy of an array whose traps throw': () => allTraps([]),
  'a proxy of a function whose traps throw': () => allTraps(() => {}),
  'a proxy of a node': () => new Proxy(input('proxied', [2]), {}),
  'a frozen object': () => Object.freeze({ a: 1 }),
  'an array of another realm': () => runInNewContext("[1, 'x']"),
  'a detached typed array': detached,
  'an unsupported typed array': () => new Uint8Array(3),
  'an int32 node of another shape': () => input('odd', [7, 1, 7], { dtype: 'int32' }),
  'a tensor of another shape': () => tensor([[[1], [2]]]),
  'a promise': () => Promise.resolve(1),
  'an object without a prototype': () => Object.create(null),
  'an object that has only the prototype of a node': () =>
    Object.create(Object.getPrototypeOf(input('prototype', [2]))),
  'an object that has only the prototype of a tensor': () =>
    Object.create(Object.getPrototypeOf(tensor(1))),
};

/** The arguments of one call of a function, a method or a setter. */
export interface Call {
  /** `this`, for methods and setters. */
  readonly on?: object;
  readonly args: readonly unknown[];
}

/** The position of a value in the arguments: `[0]` is the first argument, `[2, 'rate']` an option of the third one. */
export type Place = readonly (number | string)[];

const deepest = 4;

export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Returns the positions of all arguments, and of all elements and properties of arrays and plain objects in them. */
export function placesIn(
  args: readonly unknown[],
  namesOf: (object: Record<string, unknown>) => readonly string[],
): Place[] {
  const places: Place[] = [];
  const visit = (value: unknown, place: Place) => {
    if (place.length > 0) places.push(place);
    if (place.length === deepest) return;
    if (Array.isArray(value)) {
      for (const index of value.keys()) visit(value[index], [...place, index]);
    } else if (isPlain(value)) {
      for (const name of namesOf(value)) visit(value[name], [...place, name]);
    }
  };
  visit(args, []);
  return places;
}

/** Returns a copy of `args` with another value at one position. */
export function replaced(
  args: readonly unknown[],
  place: Place,
  value: unknown,
): readonly unknown[] {
  const put = (whole: unknown, [first, ...rest]: Place): unknown => {
    if (first === undefined) return value;
    const copy = (Array.isArray(whole) ? [...whole] : { ...(whole as object) }) as Record<
      string | number,
      unknown
    >;
    copy[first] = put(copy[first], rest);
    return copy;
  };
  return put(args, place) as readonly unknown[];
}

const patience = 10_000;

/** Returns functions that use the result of a call. They show whether an accepted value causes a wrong error later. */
function usesOf(made: unknown): (() => unknown)[] {
  if (made instanceof Program) return [() => made.run({}), () => made.stats()];
  if (!(made instanceof Node)) return [];
  return [
    () => `${made} ${inspect(made)}`,
    () => evaluate(made),
    () => backward(sum(made)),
    () => compile({ outputs: { made } }).run(),
    () => dot(made),
  ];
}

/**
 * Makes a call and uses its result. Returns the message of the first error that is not a ForebayError, or undefined if
 * there is none.
 */
export async function complaint(call: () => unknown): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`is not settled after ${patience} ms`)), patience);
  });
  try {
    const made = await Promise.race([call(), late]);
    for (const use of usesOf(made)) {
      try {
        use();
      } catch (error) {
        if (!(error instanceof ForebayError)) throw error;
      }
    }
    return undefined;
  } catch (error) {
    if (error instanceof ForebayError) return undefined;
    return error instanceof Error
      ? `${error.name}: ${error.message}`
      : 'a value that is not an Error';
  } finally {
    clearTimeout(timer);
  }
}
