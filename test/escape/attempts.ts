/** Every attempt of a guest, in the order of the table. */
import type { Attempt } from './attempt.ts';
import { bombs } from './bombs.ts';
import { calls } from './calls.ts';
import { engine } from './engine.ts';
import { files } from './files.ts';
import type { Ground } from './ground.ts';

export const attempts: readonly Attempt<Ground>[] = [...files, ...calls, ...engine, ...bombs];
