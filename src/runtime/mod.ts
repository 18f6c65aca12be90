/** The door of `runtime`: the contract between the node and what runs guests. */
export * from './contract.ts';
