import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A process per file: an addon that aborts fails its own file and no other.
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
