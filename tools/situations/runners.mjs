// The situations of test runners, which load modules in their own way. Their recipes are tests, which must pass.

const runner = (name, tool, recipe, passes, more = {}) => ({
  ...{ name, inside: [tool], recipe, passes },
  ...more,
});
const jestPasses = /^Tests: +1 passed, 1 total/m;
const vitestPasses = /^ +Tests +1 passed \(1\)/m;

export const runners = [
  runner('Jest, default', 'jest', 'jest', jestPasses, { short: true }),
  runner('Jest, ES modules', 'jest', 'jest-esm', jestPasses),
  runner('ts-jest, module node16', 'ts-jest', 'ts-jest', jestPasses),
  runner('vitest, forks', 'vitest', 'vitest-forks', vitestPasses),
  runner('vitest, threads', 'vitest', 'vitest-threads', vitestPasses, { short: true }),
];
