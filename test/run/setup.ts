import type { Step, Variables } from '../setup/step.ts';

export interface Plan {
  /** Steps to do, each after those that it needs. */
  readonly todo: readonly Step[];
  /** Why a step that is missing cannot be done here. */
  readonly obstacles: ReadonlyMap<string, string>;
  /** What the steps that are done give. */
  readonly variables: Variables;
}

/** Which of the needed steps are missing, with what they need themselves. */
export function planSetup(steps: readonly Step[], needs: readonly string[]): Plan {
  const todo: Step[] = [];
  const obstacles = new Map<string, string>();
  const variables: Record<string, string> = {};
  const seen = new Set<string>();
  function visit(name: string): void {
    if (seen.has(name)) return;
    seen.add(name);
    const step = steps.find((one) => one.name === name);
    if (step === undefined) throw new RangeError(`Cannot set up '${name}': test/setup/mod.ts has no such step`);
    const present = step.present();
    if (present !== undefined) return void Object.assign(variables, present);
    for (const earlier of step.after ?? []) visit(earlier);
    const blocked = (step.after ?? []).map((earlier) => obstacles.get(earlier)).find((why) => why !== undefined);
    const obstacle = step.obstacle?.() ?? blocked;
    if (obstacle === undefined) todo.push(step);
    else obstacles.set(name, obstacle);
  }
  for (const name of needs) visit(name);
  // Light ones first, so that groups can begin while the heavy ones go on; the order of dependencies stays.
  return { todo: [...todo.filter((step) => !step.heavy), ...todo.filter((step) => step.heavy)], obstacles, variables };
}

/** What a person reads before anything is installed. */
export function announce({ todo }: Plan): string {
  if (todo.length === 0) return '';
  const minutes = todo.reduce((sum, step) => sum + step.minutes, 0);
  const lines = todo.map((step) => `  ${step.what}: ${step.size}, about ${step.minutes} min`);
  return `To be installed first (once; about ${minutes} minutes in all, builds are kept for the next time):\n${lines.join('\n')}\n`;
}
