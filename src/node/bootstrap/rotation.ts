/**
 * Keeps one certificate fresh for as long as the node runs: asks for the next one when 70 to 90 per cent of its life
 * are over, with a new key, and hands it on. Source: client-go `util/certificate/certificate_manager.go`.
 */
import { type Backoff, type Clock, delayOf, type Log, messageOf } from '#kit';
import { type KeyPair, readCertificate } from '#kube/certificates';
import { forget, requestKeyPath, savePair } from './pem-store.ts';

const BACKOFF: Backoff = { base: 2_000, factor: 2, cap: 300_000, jitter: 0.1 };
/** Timers have a limit of 24 days and stand still while a machine sleeps: look at the clock every hour. */
const LOOK_EVERY = 3_600_000;
/** No two requests of one kind are closer, however short the lives. */
const SHORTEST = 60_000;

export interface RotationOptions {
  /** For the log: `client` or `serving`. */
  readonly what: string;
  readonly path: string;
  /** Without one it is asked for at once. */
  readonly current: KeyPair | undefined;
  readonly ask: (options: { signal: AbortSignal; replaces: KeyPair | undefined; keyPath: string }) => Promise<KeyPair>;
  readonly onNew: (pair: KeyPair) => void;
  readonly onTrouble?: ((error: unknown) => void) | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: (() => number) | undefined;
  readonly signal: AbortSignal;
}

/** Runs until the signal; never rejects. */
export async function keepFresh(options: RotationOptions): Promise<void> {
  const { clock, log, what, path, ask, onNew, onTrouble, random = Math.random, signal } = options;
  let { current } = options;
  let obtained = Number.NEGATIVE_INFINITY;
  const keyPath = requestKeyPath(path);
  let failures = 0;
  while (!signal.aborted) {
    try {
      await sleepUntil(current === undefined ? 0 : rotationTime(current, { random, obtained }), options);
      current = await ask({ signal, replaces: current, keyPath });
      await savePair(path, current);
      await forget(keyPath);
      failures = 0;
      obtained = clock.now();
      onNew(current);
      log.info('A new certificate is in use', {
        what,
        until: new Date(readCertificate(current.cert).notAfter).toISOString(),
      });
    } catch (error) {
      if (signal.aborted) return;
      log.warn('Cannot renew the certificate yet', { what, error: messageOf(error) });
      onTrouble?.(error);
      await clock.sleep(delayOf(BACKOFF, failures++, random), { signal }).catch(() => {});
    }
  }
}

/**
 * Milliseconds since the epoch. The life of one that was just obtained counts from then: near the end of its authority a
 * signer gives so little that the whole life, back-dated, would be over 70 per cent at once, and asking would never end.
 */
export function rotationTime(
  { cert }: Pick<KeyPair, 'cert'>,
  { random = Math.random, obtained = Number.NEGATIVE_INFINITY }: { random?: () => number; obtained?: number } = {},
): number {
  const { notBefore, notAfter } = readCertificate(cert);
  const start = Math.max(notBefore, obtained);
  return Math.max(start + (notAfter - start) * (0.7 + 0.2 * random()), obtained + SHORTEST);
}

/** Whether a stored certificate is this node's and lives on for now. */
export function isUsable(pair: KeyPair, { commonName, now }: { commonName: string; now: number }): boolean {
  const { subject, notBefore, notAfter } = readCertificate(pair.cert);
  return subject.commonName === commonName && notBefore <= now && now < notAfter;
}

async function sleepUntil(time: number, { clock, signal }: RotationOptions): Promise<void> {
  for (let left = time - clock.now(); left > 0; left = time - clock.now()) {
    await clock.sleep(Math.min(left, LOOK_EVERY), { signal });
  }
}
