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
  {
    path: /\/configmaps$/,
    step: /^get --raw .*(labelSelector=!!|fieldSelector=bogus|continue=garbage)/,
    at: /^answer\.message$/,
    why: 'ours says in its own words what is wrong with a selector or a token',
  },
  {
    path: /\/configmaps$/,
    step: /^get --raw .*resourceVersion=abc/,
    at: /^(status|answer(\[0\])?\.(code|message|reason|details))$/,
    why: 'a resourceVersion that is no number is 422 everywhere here; there it is 400 for a list and 500 for a watch',
  },
  {
    path: /\/configmaps\/one$/,
    step: /^delete --raw .*dryRun=Some/,
    at: /^answer\.(message|details\.(kind|causes\[0\]\.message))$/,
    why: 'the options of all verbs are checked in one place and named after the first of them',
  },
  {
    path: /\/configmaps\/one$/,
    step: /^(delete|replace) --raw/,
    at: /^answer\.(message|details\.causes\[0\]\.message)$/,
    why: 'a precondition that fails is told with the ids and versions of each server, there with the storage key too',
  },
  {
    path: /\/configmaps$/,
    step: /^create --raw/,
    at: /^(status|answer\.(code|reason))$/,
    why: 'a resourceVersion on a new object is the fault of who sends it: 400, there 500',
  },
  {
    path: /\/configmaps\/one$/,
    step: /^create --raw/,
    at: /^answer\.(message|details\.kind)$/,
    why: 'a method that a resource does not have is told with the name of the resource',
  },
  {
    path: /^\/api\/v1\/nodes/,
    at: /^answer\.spec\.taints/,
    why: 'ours gives a node its taints by its conditions and a moment later; there admission gives the first at once',
  },
  {
    path: /certificatesigningrequests/,
    at: /^answer\.(spec\.(username|extra)|rows\[0\]\.cells\[3\])/,
    why: 'each administrator has a name of its own; ours does not tell the hash of the certificate',
  },
  {
    path: /certificatesigningrequests/,
    at: /^answer\.columnDefinitions\[\d\]\.description$/,
    why: 'the words for columns are those of the version that is served, there of an older one',
  },
  {
    path: /\/apis\/events\.k8s\.io\/v1\//,
    at: /^answer\.reporting(Controller|Instance)$/,
    why: 'empty fields of events stay as core/v1 writes them',
  },
  {
    path: /selfsubjectrulesreviews$/,
    at: /^answer\.(spec\.namespace|metadata\.creationTimestamp|status)/,
    why: 'the rules are those of each server: ours has no roles',
  },
];
