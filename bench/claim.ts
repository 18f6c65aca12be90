/**
 * A claim is a figure that an issue asks of us, measured on this machine beside a named peer where there is one.
 * `npm run bench -- NAME` prints a line a figure; figures that we lose are printed like those that hold.
 */
export interface Figure {
  /** What was measured, in a few words. */
  readonly claim: string;
  readonly unit: string;
  readonly ours: number;
  /** The peer's figure from the same run; absent where the claim has an absolute target only or the peer is not there. */
  readonly peer?: number | undefined;
  /** Name and version of the peer, or why there is none. */
  readonly peerName?: string | undefined;
  /** ours / peer. */
  readonly ratio?: number | undefined;
  readonly target: string;
  readonly holds: boolean;
}

export interface Claim {
  readonly name: string;
  readonly summary: string;
  measure(context: ClaimContext): Promise<Figure[]>;
}

export interface ClaimContext {
  readonly log: (line: string) => void;
  readonly folder: string;
  /** `--pods N`: another size than the claim's own, for a quick look. */
  readonly pods?: number | undefined;
}

export function figure(
  claim: Omit<Figure, 'ratio' | 'holds'>,
  limit: { atMost: number } | { atLeast: number } | { ratioAtLeast: number },
): Figure {
  const ratio = claim.peer === undefined ? undefined : round(claim.ours / claim.peer);
  return {
    ...claim,
    ours: round(claim.ours),
    ...(claim.peer === undefined ? {} : { peer: round(claim.peer) }),
    ...(ratio === undefined ? {} : { ratio }),
    holds: keeps({ ours: claim.ours, ratio }, limit),
  };
}

function keeps(
  { ours, ratio }: { ours: number; ratio: number | undefined },
  limit: Parameters<typeof figure>[1],
): boolean {
  if ('atMost' in limit) return ours <= limit.atMost;
  if ('atLeast' in limit) return ours >= limit.atLeast;
  return ratio !== undefined && ratio >= limit.ratioAtLeast;
}

/** A figure for people: `jain 0.991 · at least 0.98 · holds`. */
export function figureLine({ claim, unit, ours, peer, peerName, ratio, target, holds }: Figure): string {
  const beside =
    peer === undefined ? (peerName ?? '') : `${peerName ?? 'peer'} ${peer}${unit && ` ${unit}`}, ratio ${ratio}`;
  const verdict = holds ? (target === 'published' ? '' : 'holds') : 'LOST';
  return [`${claim} ${ours}${unit && ` ${unit}`}`, beside, target, verdict].filter((part) => part !== '').join(' · ');
}

export function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** The q-th quantile of values, 0 to 1, by nearest rank. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))] ?? Number.NaN;
}
