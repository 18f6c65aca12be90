/** The door of `runtime/sandbox`: the runtime over sandbox processes. */

export { RUNTIME_ERRORS } from './errors.ts';
export { createRuntime, type RuntimeOptions, type SandboxRuntime } from './host/runtime.ts';
export { isWall, TABLE as WALLS_TABLE, WALLS, type Wall, type WallRow, type WallsReport, wallHere } from './walls.ts';
