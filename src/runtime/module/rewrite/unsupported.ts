/** The rewriter does not take a module; the message says why, as the end of a sentence about the module. */
export class Unsupported extends Error {
  override readonly name = 'Unsupported';
}
