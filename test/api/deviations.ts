/**
 * Where our answers differ from the real API server's, and why. `replay.test.ts` accepts these differences and no others,
 * and fails when one of them is gone.
 */
export interface Deviation {
  /** The request's path, without the query. */
  readonly path: RegExp;
  /** The kubectl command; any without. */
  readonly step?: RegExp;
  /** The place in the answer that differs. */
  readonly at: RegExp;
  readonly why: string;
}

export const DEVIATIONS: readonly Deviation[] = [
  {
    path: /\/pods\/(plain|applied)$/,
    step: /^(patch|apply)/,
    at: /^answer\.(message|details\.causes\[0\]\.message)$/,
    why: 'the message of a forbidden pod update ends with a difference of Go structs; ours names the fields that differ',
  },
  {
    path: /\/configmaps\/first$/,
    step: /"data":"x"/,
    at: /^answer\.(message|details\.causes\[0\]\.message)$/,
    why: 'the message quotes the patched object, whose ids, times and order of keys are its own',
  },
  {
    path: /\/pods$/,
    step: /^wait/,
    at: /^answer\[\d+\]\.object\.(spec|status)$/,
    why: "a bookmark of ours carries metadata only; the real one's also has the empty fields of the kind",
  },
  {
    path: /\/serviceaccounts\/worker\/token$/,
    at: /^answer\.(spec\.audiences|status\.token|metadata\.(managedFields|uid))/,
    why: 'the issuer of tokens is each its own; a token request is answered and not kept, so nobody owns its fields',
  },
  {
    path: /selfsubject(access)?reviews$/,
    at: /^answer\.metadata\.(managedFields|creationTimestamp)/,
    why: 'a review is answered and not kept, so nobody owns its fields',
  },
  {
    path: /selfsubjectreviews$/,
    at: /^answer\.status\.userInfo\.(username|extra)/,
    why: 'each administrator has a name of its own; ours does not tell the hash of the certificate',
  },
  {
    path: /\/serviceaccounts\/worker$/,
    step: /^delete/,
    at: /^answer\.metadata\.deletion(Timestamp|GracePeriodSeconds)$/,
    why: 'an object that goes at once is answered as it went, with the time of its deletion',
  },
  {
    path: /^\/api\/v1\/namespaces$/,
    step: /^get namespaces/,
    at: /^answer\.rows\[\d\]\.object\.metadata\.managedFields/,
    why: 'the namespaces that are always there are made without an owner of their fields',
  },
  {
    path: /\/runtimeclasses$/,
    step: /^get/,
    at: /^answer\.rows\[\d\]$/,
    why: 'three RuntimeClasses are always there',
  },
];
