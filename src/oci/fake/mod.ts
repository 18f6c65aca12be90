/** The door to a registry for other rooms' tests. Never loaded outside tests. */
export { makeBench, moduleOf, sample, until } from './bench.ts';
export { FakeRegistry, type Fault } from './registry.ts';
