/** The door for tests that attack the boundary from outside of this room: what is spoken over it, and how a process gets behind it. */
export type { LaunchPlan } from './launch.ts';
export { encodeFrame, FrameError, FrameReader } from './protocol/frames.ts';
export { chosenShape, helloShape, readMessage, requestShape } from './protocol/messages.ts';
export { ShapeError } from './protocol/shape.ts';
export { DEFAULT_USERS } from './walls.ts';
