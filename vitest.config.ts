import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A process per file: an addon that aborts fails its own file and no other.
    pool: 'forks',
    // Vitest's own process does little while they run: with its default, one fewer, a core in two is idle.
    maxWorkers: availableParallelism(),
    // No test is judged by these: what takes this long hangs. `tools/sanitize.mjs` has more patience.
    testTimeout: 120_000,
    hookTimeout: 300_000,
    // Asked for by `--coverage`: what the tests in TypeScript run of src/, and how often.
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      reportsDirectory: '.cmake/coverage/typescript',
      reporter: ['json-summary', 'json'],
    },
  },
});
