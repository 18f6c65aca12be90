/** Gives pending pods a node: a filter, the emptiest of what is left, a binding. No preemption and no scores beyond that. */
import type { Pod, PodSpec } from '#kube/types';
import { type Api, modifyObject, nowOf, PODS } from '../../rest/mod.ts';
import type { Entry } from '../../store/collection.ts';
import { bindPod, setScheduled } from '../../subresources/binding.ts';
import { recordEvent } from '../event-recorder.ts';
import type { StartController } from '../mod.ts';
import { type Failed, Reconciler } from '../reconciler.ts';
import { fitMessage, type NodeView, refusals } from './fit.ts';
import { isOver, Usage } from './usage.ts';

const NAME = 'default-scheduler';

export const startScheduler: StartController = ({ api, signal }) => {
  const { store } = api;
  const pending = new Set<string>();
  const usage = new Usage(api);
  const queue = new Reconciler(api, { name: 'scheduler', signal, work: schedule });

  function schedule(keys: readonly string[]): Failed {
    const views = usage.views();
    const failed = new Map<string, unknown>();
    for (const key of keys) {
      try {
        scheduleOne(api, key, views);
      } catch (error) {
        failed.set(key, error);
      }
    }
    return failed;
  }

  function seen(entry: Entry, type: string): void {
    const key = `${entry.namespace}/${entry.name}`;
    if (type !== 'DELETED' && isPending(entry)) {
      if (!pending.has(key)) queue.push(key);
      pending.add(key);
      return;
    }
    pending.delete(key);
    if (type === 'DELETED' || isOver(entry)) retry();
  }

  /** Something got free or a node changed: every pod that waits may fit now. */
  function retry(): void {
    for (const key of pending) queue.push(key);
  }

  store.subscribe('pods', ({ entry, type }) => {
    usage.note(entry, type);
    seen(entry, type);
  });
  store.subscribe('nodes', retry);
  for (const entry of store.list('pods')) seen(entry, 'ADDED');
  return queue;
};

function isPending({ value }: Entry): boolean {
  const spec = value['spec'] as PodSpec;
  const ours = (spec.schedulerName ?? NAME) === NAME && (spec.schedulingGates ?? []).length === 0;
  return ours && (spec.nodeName ?? '') === '' && value.metadata.deletionTimestamp === undefined;
}

function scheduleOne(api: Api, key: string, views: readonly NodeView[]): void {
  const [namespace = '', name = ''] = key.split('/');
  const entry = api.store.get({ storage: 'pods', namespace, name });
  if (entry === undefined || !isPending(entry)) return;
  const pod = entry.value as Pod;
  const refused = views.map((view) => refusals(pod, view));
  const fitting = views.filter((_, at) => refused[at]?.length === 0);
  const [best] = fitting.sort((left, right) => (left.used.get('pods') ?? 0) - (right.used.get('pods') ?? 0));
  if (best === undefined) {
    tellUnschedulable(api, entry, fitMessage(views.length, refused));
    return;
  }
  const node = best.node.metadata?.name ?? '';
  const address = { kind: PODS, namespace, name };
  bindPod(api, address, { metadata: { name }, target: { kind: 'Node', name: node } });
  const message = `Successfully assigned ${key} to ${node}`;
  recordEvent(api, entry.value, { type: 'Normal', reason: 'Scheduled', action: 'Binding', message, reporter: NAME });
}

function tellUnschedulable(api: Api, entry: Entry, message: string): void {
  const condition = { status: 'False', reason: 'Unschedulable', message, now: nowOf(api) } as const;
  const changed = modifyObject(api, { kind: PODS, namespace: entry.namespace, name: entry.name }, (pod) =>
    setScheduled(pod, condition),
  );
  if (!changed) return;
  recordEvent(api, entry.value, {
    type: 'Warning',
    reason: 'FailedScheduling',
    action: 'Scheduling',
    message,
    reporter: NAME,
  });
}
