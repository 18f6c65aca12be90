/**
 * Whether and when a container runs again. Source: `pkg/api/v1/pod/util.go` ContainerShouldRestart, kubelet
 * `kuberuntime_manager.go` doBackOff, client-go `util/flowcontrol/backoff.go`.
 */
import type { Container, Pod } from '#kube/types';
import type { BackoffEntry, ContainerKind, ContainerObserved, ExitedInstance } from './observed.ts';

export const BACKOFF_BASE = 10_000;
export const BACKOFF_CAP = 300_000;
/** A container that ran longer than this starts again with the first delay. */
export const BACKOFF_RESET = 600_000;

/** An init container that stays: started in order, restarted always, ended last. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

export function restarts(
  pod: Pod,
  container: Container,
  { kind, exitCode }: { kind: ContainerKind; exitCode: number },
): boolean {
  const byRule = ruleFor(container, exitCode);
  if (byRule !== undefined) return byRule;
  const policy = container.restartPolicy ?? pod.spec?.restartPolicy ?? 'Always';
  if (policy === 'Never') return false;
  if (policy === 'OnFailure') return exitCode !== 0;
  return kind === 'containers' || isSidecar(container) || exitCode !== 0;
}

function ruleFor({ restartPolicyRules = [] }: Container, exitCode: number): boolean | undefined {
  for (const { action, exitCodes } of restartPolicyRules) {
    const listed = (exitCodes?.values ?? []).includes(exitCode);
    if (exitCodes !== undefined && (exitCodes.operator === 'In' ? listed : !listed)) return action === 'Restart';
  }
  return undefined;
}

/** The time before which an exited container must not start again; undefined if it may at once. */
export function backedOffUntil({ backoff }: ContainerObserved, { finishedAt }: ExitedInstance): number | undefined {
  if (backoff === undefined || finishedAt - backoff.updatedAt > BACKOFF_RESET) return undefined;
  return finishedAt + backoff.delay;
}

/** What the entry becomes when the container starts again now. */
export function nextBackoff({ backoff }: ContainerObserved, exit: ExitedInstance, now: number): BackoffEntry {
  const fresh = backoff === undefined || exit.finishedAt - backoff.updatedAt > BACKOFF_RESET;
  return { delay: fresh ? BACKOFF_BASE : Math.min(backoff.delay * 2, BACKOFF_CAP), updatedAt: now };
}

/** As Go prints a duration of whole seconds: `10s`, `1m20s`, `5m0s`. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours > 0) return `${hours}h${minutes % 60}m${seconds % 60}s`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}

/** `name_namespace(uid)`. Source: kubelet `util/format/pod.go`. */
export function podText({ metadata }: Pod): string {
  return `${metadata?.name ?? ''}_${metadata?.namespace ?? ''}(${metadata?.uid ?? ''})`;
}
