/** The entry `certificates`: a worker thread that does one job and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '#kit';
import type { Job } from './job.ts';
import { work } from './work.ts';

try {
  parentPort?.postMessage({ ok: await work(workerData as Job) });
} catch (error) {
  parentPort?.postMessage({ error: messageOf(error) });
}
