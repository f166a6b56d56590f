// One bundle per thread: a bundle puts every constant of a hot loop into one module scope, which V8
// then folds (measured: 4.9 ns against 9-12 ns for imported constants).
import { defineConfig } from 'rolldown';

const bundle = (input) => ({
  input,
  platform: 'node',
  external: ['koffi', 'raw-socket'],
  output: {
    dir: 'dist',
    format: 'esm',
    entryFileNames: '[name].js',
    sourcemap: true,
    codeSplitting: false,
  },
});

export default defineConfig([
  bundle({ main: 'src/main.ts' }),
  bundle({ worker: 'src/datapath/worker.ts' }),
  bundle({ ofctl: 'src/ts-ofctl.ts' }),
  bundle({ vsctl: 'src/ts-vsctl.ts' }),
  bundle({ appctl: 'src/ts-appctl.ts' }),
  bundle({ library: 'src/library/create-switch.ts' }),
]);
