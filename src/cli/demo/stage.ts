/**
 * The demo's stage: watches the pods and follows their logs, and draws both. On a terminal a live table that is drawn over itself;
 * in a pipe one plain line a change.
 */
import { systemClock } from '#kit';
import { type KubeClient, PODS, pathOf } from '#kube';
import type { Pod } from '#kube/types';
import type { Context } from '../command.ts';
import { cliError } from '../errors.ts';
import { type LogLine, podLine, screen } from './view.ts';

export interface Stage extends AsyncDisposable {
  /** Resolves with what the look finds among the pods; redraws meanwhile. */
  until<T>(what: string, look: (pods: Pod[]) => T | undefined, seconds: number): Promise<T>;
  /** A line between the pods' own. */
  note(text: string): void;
  /** Gives a person at a terminal the time to look; nothing in a pipe. */
  pause(): Promise<void>;
  /** Stops drawing and leaves the last picture. */
  finish(): Promise<void>;
}

const REDRAW_MS = 150;
const ROWS = 18;
const LOOK_MS = 1200;

export async function startStage(context: Context, client: KubeClient): Promise<Stage> {
  const stage = new LiveStage(context, client);
  stage.start();
  return stage;
}

class LiveStage implements Stage {
  readonly #context: Context;
  readonly #client: KubeClient;
  readonly #pods = new Map<string, Pod>();
  readonly #logs: LogLine[] = [];
  readonly #following = new Set<string>();
  readonly #said = new Map<string, string>();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: Context, client: KubeClient) {
    this.#context = context;
    this.#client = client;
    this.#signal = AbortSignal.any([context.signal, this.#stop.signal]);
  }

  start(): void {
    void this.#watch();
    if (this.#live) this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
  }

  async until<T>(what: string, look: (pods: Pod[]) => T | undefined, seconds: number): Promise<T> {
    const end = systemClock.monotonic() + seconds * 1000;
    for (;;) {
      const found = look([...this.#pods.values()].sort((a, b) => keyOf(a).localeCompare(keyOf(b))));
      if (found !== undefined) return found;
      if (systemClock.monotonic() > end)
        throw cliError('CLI_TIMEOUT', `Cannot see ${what} after ${seconds} s: ${this.#states()}`);
      await systemClock.sleep(50, { signal: this.#signal });
    }
  }

  note(text: string): void {
    for (const line of text.split('\n')) this.#log('you', line);
  }

  async pause(): Promise<void> {
    if (this.#live) await systemClock.sleep(LOOK_MS, { signal: this.#signal });
  }

  async finish(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#live) this.#draw();
    this.#timer = undefined;
    this.#stop.abort();
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    return Promise.resolve();
  }

  get #live(): boolean {
    return this.#context.stdout.isTTY;
  }

  #states(): string {
    return [...this.#pods.values()].map(podLine).join('; ') || 'no pod was seen';
  }

  async #watch(): Promise<void> {
    while (!this.#signal.aborted) {
      try {
        const { items, metadata } = await this.#client.list<Pod>(PODS, { namespace: 'default', signal: this.#signal });
        for (const pod of items) this.#seen(pod);
        const options = { namespace: 'default', resourceVersion: metadata?.resourceVersion, signal: this.#signal };
        for await (const event of this.#client.watch<Pod>(PODS, options)) {
          if (event.type === 'ADDED' || event.type === 'MODIFIED') this.#seen(event.object);
          if (event.type === 'DELETED') this.#pods.delete(keyOf(event.object));
        }
      } catch {
        // A watch that ends is begun again; what matters shows in `until`.
        await systemClock.sleep(200, { signal: this.#signal }).catch(() => {});
      }
    }
  }

  #seen(pod: Pod): void {
    const key = keyOf(pod);
    this.#pods.set(key, pod);
    const line = podLine(pod);
    if (!this.#live && this.#said.get(key) !== line) this.#context.stdout.write(`${line}\n`);
    this.#said.set(key, line);
    const attempt = `${key}/${pod.status?.containerStatuses?.[0]?.restartCount ?? 0}`;
    if (pod.status?.phase === 'Running' && !this.#following.has(attempt)) {
      this.#following.add(attempt);
      void this.#follow(key);
    }
  }

  async #follow(name: string): Promise<void> {
    const path = `${pathOf(PODS, { namespace: 'default', name, subresource: 'log' })}?follow=true&sinceSeconds=5`;
    try {
      const { body } = await this.#client.raw(path, { signal: this.#signal });
      let rest = '';
      const decoder = new TextDecoder();
      for await (const chunk of body) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.#log(name, line);
      }
    } catch {
      // The pod ended or the demo does; its next attempt is followed anew.
    }
  }

  #log(pod: string, text: string): void {
    this.#logs.push({ pod, text });
    if (this.#logs.length > 200) this.#logs.shift();
    if (!this.#live) this.#context.stdout.write(`${pod} | ${text}\n`);
  }

  #draw(): void {
    const { stdout } = this.#context;
    const lines = screen([...this.#pods.values()], this.#logs, {
      now: systemClock.now(),
      columns: stdout.columns,
      rows: ROWS,
    });
    const up = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A`;
    stdout.write(`${up}\u001b[J${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }
}

function keyOf(pod: Pod): string {
  return pod.metadata?.name ?? '';
}
