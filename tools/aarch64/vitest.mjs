// A substitute for vitest, which does not run in an emulated Node. `expect` is the function of vitest. `describe`, `it`
// and the hooks are written here, and support only what our tests use. `finish` runs the tests.
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  getState,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from '@vitest/expect';

for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin);
export const expect = (value, message) => {
  setState({ assertionCalls: (getState(expect).assertionCalls ?? 0) + 1 }, expect);
  return chai.expect(value, message);
};
Object.assign(expect, chai.expect, globalThis[ASYMMETRIC_MATCHERS_OBJECT]);
setState({ assertionCalls: 0 }, expect);

/** Does nothing when the tests run, because the TypeScript compiler checks the types. */
export const expectTypeOf = () => new Proxy(() => {}, { get: expectTypeOf, apply: expectTypeOf });

/**
 * Returns an empty suite, the object that `describe` makes: a name, hooks of each kind, and tests and suites in order.
 */
const suite = (name) => ({
  name,
  ...{ beforeAll: [], afterAll: [], beforeEach: [], afterEach: [] },
  children: [],
});
const root = suite('');
let current = root;

const hook = (kind) => (body) => current[kind].push(body);
export const beforeAll = hook('beforeAll');
export const afterAll = hook('afterAll');
export const beforeEach = hook('beforeEach');
export const afterEach = hook('afterEach');

/** Replaces %s, %i and similar placeholders in a name by the values of a row, as vitest does. */
function named(name, row) {
  let next = 0;
  return name.replace(/%[sdifjoO]/g, () => String(row[next++]));
}

function declare(add) {
  const one = (name, ...rest) => add(name, rest.find((part) => typeof part === 'function') ?? null);
  return Object.assign(one, {
    skip: () => {},
    skipIf: (skips) => (skips ? () => {} : one),
    runIf: (runs) => (runs ? one : () => {}),
    each:
      (rows) =>
      (name, ...rest) => {
        const body = rest.find((part) => typeof part === 'function');
        for (const row of rows) {
          const values = Array.isArray(row) ? row : [row];
          add(named(name, values), () => body(...values));
        }
      },
  });
}

export const describe = declare((name, body) => {
  const outer = current;
  current = suite(name);
  outer.children.push(current);
  body();
  current = outer;
});
export const it = declare((name, body) => current.children.push({ name, body }));
export const test = it;

/** Runs all tests, and prints the error of each test that fails. @returns [passed, failed] */
export async function finish() {
  const counts = [0, 0];
  const attempt = async (path, body) => {
    try {
      await body();
      return true;
    } catch (error) {
      console.log(`FAILED ${path.join(' > ')}\n${error?.stack ?? error}`);
      return false;
    }
  };
  const run = async (node, path, outer) => {
    const around = {
      before: [...outer.before, ...node.beforeEach],
      after: [...node.afterEach, ...outer.after],
    };
    const begun = await attempt(path, async () => {
      for (const body of node.beforeAll) await body();
    });
    if (!begun) counts[1]++;
    for (const child of begun ? node.children : []) {
      const here = [...path, child.name];
      if (child.children) await run(child, here, around);
      else {
        const ok = await attempt(here, async () => {
          try {
            for (const body of around.before) await body();
            await child.body();
          } finally {
            for (const body of around.after) await body();
          }
        });
        counts[ok ? 0 : 1]++;
      }
    }
    const ended = await attempt(path, async () => {
      for (const body of node.afterAll) await body();
    });
    if (!ended) counts[1]++;
  };
  await run(root, [], { before: [], after: [] });
  return counts;
}
