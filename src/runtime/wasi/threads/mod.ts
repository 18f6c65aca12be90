/** The door of `wasi/threads`: guests whose threads share their memory. */
export type { GuestWorld, SharedMemory, ThreadedOptions } from './contract.ts';
export { rememberedMemories, rememberSharedMemories, sharedMemoriesOf } from './memories.ts';
export { createThreadedWorld } from './world.ts';
