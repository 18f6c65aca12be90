/** `wasmlet join`: this machine as a node of a real cluster. Its guests do not end with it. */
import { type NodeOptions, startNode } from '#node';
import type { Arguments, Context } from '../command.ts';
import { cliError } from '../errors.ts';
import { commonOptions, taintsOf, untilStopped } from '../node-options.ts';

export async function run(context: Context, args: Arguments): Promise<number> {
  const port = args.value('port');
  const taints = args.value('register-with-taints');
  return serve(context, {
    ...commonOptions(context, args),
    mode: 'joined',
    access: accessOf(args),
    arch: (args.value('arch') ?? 'wasm32-wasi') as NonNullable<NodeOptions['arch']>,
    ...(taints === undefined ? {} : { taints: taintsOf(taints) }),
    ...(port === undefined ? {} : { port: Number(port) }),
    address: args.value('node-ip'),
    clientCaFile: args.value('client-ca-file'),
  });
}

function accessOf(args: Arguments): NodeOptions['access'] {
  const bootstrapKubeconfig = args.value('bootstrap-kubeconfig');
  const kubeconfig = args.value('kubeconfig');
  if (bootstrapKubeconfig !== undefined && kubeconfig === undefined) return { bootstrapKubeconfig };
  if (kubeconfig !== undefined && bootstrapKubeconfig === undefined) return { kubeconfig };
  throw cliError('CLI_USAGE', "Cannot run 'join': say how to reach the cluster", {
    hint: 'One of --bootstrap-kubeconfig FILE and --kubeconfig FILE.',
  });
}

/** Runs until a signal; the guests go on, and the next start takes them over. */
export async function serve(context: Context, options: NodeOptions): Promise<number> {
  const node = await startNode(options);
  const about = { node: node.name, address: node.address, port: node.port, healthz: node.healthz };
  context.log.info('the node runs', about);
  await untilStopped(context.signal);
  await node.stop({ guests: 'keep' });
  context.log.info('the node has stopped; its guests go on', { node: node.name, pods: node.pods().length });
  return 0;
}
