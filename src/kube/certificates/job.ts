/** What the certificate worker can be asked, as plain data that crosses a thread boundary. All keys and certificates are PEM. */

export interface Subject {
  readonly commonName: string;
  readonly organizations?: readonly string[] | undefined;
}

/** A certificate with its private key. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export type ExtendedUsage = 'client auth' | 'server auth';

export interface Validity {
  /** Milliseconds since the epoch. The certificate starts five minutes earlier, for clocks that are behind. */
  readonly now: number;
  readonly days: number;
}

export interface AlternativeNames {
  readonly addresses?: readonly string[] | undefined;
  readonly names?: readonly string[] | undefined;
}

export type Job =
  | { readonly do: 'authority'; readonly commonName: string; readonly validity: Validity }
  | {
      readonly do: 'issue';
      /** Absent: signed with its own key. */
      readonly authority?: KeyPair | undefined;
      readonly subject: Subject;
      readonly usages: readonly ExtendedUsage[];
      readonly alternatives: AlternativeNames;
      readonly validity: Validity;
    }
  | {
      readonly do: 'request';
      readonly subject: Subject;
      readonly alternatives: AlternativeNames;
      /** An earlier attempt's key, to ask again for the same thing. */
      readonly key?: string | undefined;
    }
  | { readonly do: 'read-request'; readonly request: string }
  | {
      readonly do: 'sign';
      readonly authority: KeyPair;
      readonly request: string;
      readonly usages: readonly ExtendedUsage[];
      readonly validity: Validity;
    };

export interface RequestFacts {
  readonly subject: Subject;
  readonly addresses: readonly string[];
  readonly names: readonly string[];
  /** Alternative names of other types (mail, URI), which no Kubernetes signer of ours allows. */
  readonly others: number;
}

export interface JobResults {
  readonly authority: KeyPair;
  readonly issue: KeyPair;
  readonly request: { readonly request: string; readonly key: string };
  readonly 'read-request': RequestFacts;
  readonly sign: { readonly cert: string };
}

export type JobResult<J extends Job> = JobResults[J['do']];
