/** The door of `runtime/module`: what admission does with a module, and how a rewritten one is brought to life. */

export { Admission, type AdmissionOptions, type Executable } from './admission.ts';
export { type Examined, examine } from './examine.ts';
export { type Instantiated, type InstantiateOptions, instantiate, shapeOf } from './instantiate.ts';
export { type Rewritten, rewrite } from './rewrite/mod.ts';
export { type Immediates, INSTRUCTIONS, type Instruction } from './rewrite/opcodes.ts';
export { ENGINE, GROW, type Injected, REWRITER_VERSION, type Shape, TABLE_ELEMENT_BYTES } from './shape.ts';
