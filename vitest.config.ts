import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // One process for each file, so that an addon that aborts fails only that file.
    pool: 'forks',
    // The default is one fewer. Vitest's own process needs little time, so on two cores one would be idle.
    maxWorkers: availableParallelism(),
    // A test that takes this long hangs. `tools/sanitize.mjs` has longer limits.
    testTimeout: 120_000,
    hookTimeout: 300_000,
    // For `--coverage`: how often the tests in TypeScript execute the code of src/.
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      reportsDirectory: '.cmake/coverage/typescript',
      reporter: ['json-summary', 'json'],
    },
  },
});
