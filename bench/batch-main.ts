/** One program in a process of its own, as it is: MODULE ARGS…. For Node with `--no-liftoff`: all of it compiled with all optimization. */
import { readFileSync } from 'node:fs';
import { processStdio, runModule } from '#runtime/wasi';

const [module = '', ...args] = process.argv.slice(2);
const { exit } = await runModule({ bytes: readFileSync(module), args: [module, ...args], ...processStdio() });
process.exitCode = exit.code;
