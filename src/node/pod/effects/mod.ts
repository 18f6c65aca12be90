/** One action, carried out: the table from the plan's words to what is done. */
import type { Action } from '../decide/plan.ts';
import type { Change, EffectContext } from './context.ts';
import { create } from './create.ts';
import { cleanup, finish, kill, terminate, terminated } from './end.ts';
import { mount, refresh } from './mount.ts';
import { network } from './network.ts';
import { pull } from './pull.ts';
import { allocate, resize } from './resize.ts';
import { backOff, start } from './start.ts';

export type { Change, EffectContext } from './context.ts';

export async function carryOut(context: EffectContext, action: Action): Promise<Change> {
  switch (action.do) {
    case 'network':
      return network(context);
    case 'mount':
      return mount(context);
    case 'refresh':
      return refresh(context);
    case 'pull':
      return pull(context, action);
    case 'create':
      return create(context, action);
    case 'start':
      return start(context, action);
    case 'backOff':
      return backOff(context, action);
    case 'kill':
      return kill(context, action);
    case 'terminate':
      return terminate(context, action);
    case 'allocate':
      return allocate(context);
    case 'resize':
      return resize(context, action);
    case 'terminated':
      return terminated(context);
    case 'cleanup':
      return cleanup(context);
    case 'finish':
      return finish(context);
    case 'wait':
      return {};
  }
}
