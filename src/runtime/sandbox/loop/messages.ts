/** Between the control thread and a loop thread of the same process: both are ours, so these are types only. */
import type { Exit, Limits, Signal } from '../../contract.ts';
import type { WireSpec } from '../protocol/messages.ts';

export interface LoopSpec {
  readonly spec: WireSpec;
  /** Open file with the module, given away with the message; absent where the path is to be used. */
  readonly moduleFd: number | undefined;
  /** Listening sockets in the order of the spec's listeners, given away with the message. */
  readonly listenerFds: readonly number[];
}

export type LoopRequest =
  | { readonly do: 'create'; readonly create: LoopSpec }
  | { readonly do: 'start'; readonly key: string }
  /** Answers whether the guest deals with the signal itself. */
  | { readonly do: 'signal'; readonly key: string; readonly signal: Signal }
  | { readonly do: 'kill'; readonly key: string; readonly exit: Exit }
  | { readonly do: 'delete'; readonly key: string }
  | { readonly do: 'resize'; readonly key: string; readonly limits: Limits }
  | { readonly do: 'stats'; readonly key: string };

export type ToLoop = LoopRequest & { readonly ask: number };

export type FromLoop =
  | { readonly ready: number }
  /** A turn begins, and the timer that ends it does not run. */
  | { readonly arm: true }
  | {
      readonly answer: number;
      readonly ok?: unknown;
      readonly error?: { readonly code: string; readonly message: string };
    }
  | { readonly started: string; readonly at: number }
  | { readonly exited: string; readonly exit: Exit; readonly at: number };

export interface LoopData {
  /** One Int32: grows with every message that the loop takes up, so that the control thread sees whether it moves. */
  readonly progress: SharedArrayBuffer;
  /** What the checks of the guests here read, and who has the thread: see scheduler/control.ts. */
  readonly control: WebAssembly.Memory;
  /** One Int32 for the whole process: memories that its guests have. */
  readonly memories: SharedArrayBuffer;
  /** How many they may be, where that is not the process's own cap. */
  readonly mostMemories: number | undefined;
  readonly insecureTrustedGuests: boolean;
}
