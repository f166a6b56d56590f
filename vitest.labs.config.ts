// Labs run one after the other: they measure and load the machine, and each boots its own switch.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/labs/*.lab.ts'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
  },
});
