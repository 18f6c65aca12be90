/** The door of `runtime`: the contract between the node and what runs guests. */
export * from './contract.ts';
export { MODULE_ERRORS, moduleError, type RefusalCode } from './module/errors.ts';
export { refusalAt } from './module/inspect.ts';
export { grantRefusal, parseCapabilities } from './posix/grant.ts';
export { POSIX_CAPABILITY } from './posix/table.ts';
