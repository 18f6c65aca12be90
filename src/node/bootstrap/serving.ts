/**
 * The certificate that the node's HTTPS API shows: one that the administrator gave, one of a standalone node's own
 * authority, or one that the cluster signs. Until
 * that is approved (nobody does it automatically) a self-signed one serves and a condition of the node says so.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, isWasmletError, type Log, messageOf } from '#kit';
import type { KubeClient } from '#kube';
import { isSignedBy, issueCertificate, type KeyPair, readCertificate } from '#kube/certificates';
import type { NodeOptions } from '../contract.ts';
import { nodeError } from '../errors.ts';
import type { ServingState } from '../status/conditions.ts';
import { loadPair, savePair } from './pem-store.ts';
import { requestCertificate, servingWish } from './request.ts';
import { isUsable, keepFresh } from './rotation.ts';

export interface ServingCertificate {
  readonly current: KeyPair;
  /** Undefined in a standalone node, where it is nothing that anybody has to know. */
  readonly state: State | undefined;
  /** Runs until the signal: asks for a signed certificate and renews it. */
  keep(signal: AbortSignal): Promise<void>;
}

interface State {
  readonly state: ServingState;
  readonly message: string;
}

export interface ServingOptions {
  readonly options: Pick<NodeOptions, 'name' | 'dataDir' | 'tls' | 'signWith'>;
  readonly client: KubeClient;
  readonly address: string;
  readonly hostname: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly onChange: (pair: KeyPair | undefined) => void;
}

export async function openServing(means: ServingOptions): Promise<ServingCertificate> {
  const { options } = means;
  if (options.tls !== undefined) return await given(options.tls);
  if (options.signWith !== undefined) return await own(options.signWith, means);
  return await signed(means);
}

async function given({ certFile, keyFile }: { certFile: string; keyFile: string }): Promise<ServingCertificate> {
  try {
    const current = { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') };
    readCertificate(current.cert);
    const message = `the certificate was given as ${certFile}`;
    return { current, state: { state: 'own', message }, keep: async () => {} };
  } catch (cause) {
    throw nodeError('NODE_OPTION_INVALID', `Cannot use the serving certificate '${certFile}' with '${keyFile}'`, {
      cause,
    });
  }
}

const DAYS = 365;

/** A standalone node has the authority in its own directory and asks nobody. */
async function own(
  authority: { certFile: string; keyFile: string },
  means: ServingOptions,
): Promise<ServingCertificate> {
  const { options, address, hostname, clock, log, onChange } = means;
  const path = join(options.dataDir, 'pki', 'kubelet-server-current.pem');
  const signer = { cert: await readFile(authority.certFile, 'utf8'), key: await readFile(authority.keyFile, 'utf8') };
  const stored = await loadPair(path);
  const issue = (): Promise<KeyPair> =>
    issueCertificate(
      {
        subject: { commonName: `system:node:${options.name}`, organizations: ['system:nodes'] },
        usages: ['server auth'],
        addresses: [address],
        names: [hostname],
        now: clock.now(),
        days: DAYS,
      },
      signer,
    );
  const isStill = stored !== undefined && fits(stored, means) && isSignedBy(stored.cert, signer.cert);
  let current = isStill ? stored : await issue();
  if (!isStill) await savePair(path, current);
  function onNew(pair: KeyPair): void {
    current = pair;
    onChange(pair);
  }
  return {
    get current() {
      return current;
    },
    state: undefined,
    keep: (signal) => keepFresh({ what: 'serving', path, current, ask: issue, onNew, clock, log, signal }),
  };
}

function fits(pair: KeyPair, { options, address, clock }: ServingOptions): boolean {
  const commonName = `system:node:${options.name}`;
  return isUsable(pair, { commonName, now: clock.now() }) && readCertificate(pair.cert).addresses.includes(address);
}

async function signed(means: ServingOptions): Promise<ServingCertificate> {
  const { options, client, address, hostname, clock, log, onChange } = means;
  const path = join(options.dataDir, 'pki', 'kubelet-server-current.pem');
  const stored = await loadPair(path);
  const held = stored !== undefined && fits(stored, means) ? stored : undefined;
  let current = held ?? (await selfSigned(means));
  let state: State = held === undefined ? waiting('the certificate signing request is being made') : readyUntil(held);

  function change(next: State, pair?: KeyPair): void {
    state = next;
    current = pair ?? current;
    onChange(pair);
  }
  const wish = servingWish(options.name, { address, hostname });
  const onPending = (name: string): void => {
    if (state.state !== 'ready') change(waiting(`approve it with: kubectl certificate approve ${name}`));
  };
  return {
    get current() {
      return current;
    },
    get state() {
      return state;
    },
    keep: (signal) =>
      keepFresh({
        what: 'serving',
        path,
        current: held,
        ask: (asked) => requestCertificate(wish, { client, clock, log, onPending, ...asked }),
        onNew: (pair) => change(readyUntil(pair), pair),
        onTrouble: (error) => {
          if (state.state !== 'ready') change(troubled(error));
        },
        clock,
        log,
        signal,
      }),
  };
}

function waiting(message: string): State {
  return { state: 'waiting', message: `the API of this node shows a self-signed certificate; ${message}` };
}

function troubled(error: unknown): State {
  const state = isWasmletError(error, 'NODE_CERTIFICATE_DENIED') ? 'failed' : 'waiting';
  return { state, message: `the API of this node shows a self-signed certificate; ${messageOf(error)}` };
}

function readyUntil({ cert }: KeyPair): State {
  const until = new Date(readCertificate(cert).notAfter).toISOString();
  return { state: 'ready', message: `the certificate was signed by the cluster and is valid until ${until}` };
}

/** Kept on disk, so that a restart costs nothing and shows the same one. */
async function selfSigned({ options, address, hostname, clock }: ServingOptions): Promise<KeyPair> {
  const path = join(options.dataDir, 'pki', 'kubelet-server-self-signed.pem');
  const stored = await loadPair(path);
  if (stored !== undefined) {
    const { notAfter, addresses } = readCertificate(stored.cert);
    if (addresses.includes(address) && notAfter > clock.now() + 30 * 86_400_000) return stored;
  }
  const made = await issueCertificate({
    subject: { commonName: `${options.name}@self-signed` },
    usages: ['server auth'],
    addresses: [address],
    names: [hostname],
    now: clock.now(),
    days: DAYS,
  });
  await savePair(path, made);
  return made;
}
