/** Every fuzzer, for `npm run fuzz` and for `npm test`. */
import type { Fuzzer } from './fuzzer.ts';
import { protocol } from './protocol.ts';
import { rewriter } from './rewriter.ts';

export const FUZZERS: readonly Fuzzer[] = [protocol, rewriter];
