/** The variables that tell of Services. Source: kubelet `kubelet_pods.go` getServiceEnvVarMap, `envvars/envvars.go`. */
import type { Service } from '#kube/types';

export interface ServiceScope {
  readonly namespace: string;
  readonly enableServiceLinks: boolean;
  /** Where the API server is when no Service `default/kubernetes` says so. */
  readonly apiAddress?: { readonly host: string; readonly port: number } | undefined;
}

export function serviceVariables(
  services: readonly Service[],
  { namespace, enableServiceLinks, apiAddress }: ServiceScope,
): Map<string, string> {
  const chosen = new Map<string, Service>();
  for (const service of services) {
    const { name = '', namespace: of } = service.metadata ?? {};
    if (!hasAddress(service)) continue;
    const isMaster = of === 'default' && name === 'kubernetes';
    if (isMaster && !chosen.has(name)) chosen.set(name, service);
    else if (of === namespace && enableServiceLinks) chosen.set(name, service);
  }
  const variables = new Map<string, string>();
  if (!chosen.has('kubernetes') && apiAddress !== undefined) addMaster(variables, apiAddress);
  for (const service of chosen.values()) addService(variables, service);
  return variables;
}

function hasAddress({ spec }: Service): boolean {
  const ip = spec?.clusterIP;
  return ip !== undefined && ip !== '' && ip !== 'None' && spec?.type !== 'ExternalName';
}

function addMaster(variables: Map<string, string>, { host, port }: { host: string; port: number }): void {
  const service: Service = {
    metadata: { name: 'kubernetes', namespace: 'default' },
    spec: { clusterIP: host, ports: [{ name: 'https', port, protocol: 'TCP' }] },
  };
  addService(variables, service);
}

function addService(variables: Map<string, string>, { metadata, spec }: Service): void {
  const prefix = variableName(metadata?.name ?? '');
  const host = spec?.clusterIP ?? '';
  const ports = spec?.ports ?? [];
  const [first] = ports;
  if (first === undefined) return;
  variables.set(`${prefix}_SERVICE_HOST`, host);
  variables.set(`${prefix}_SERVICE_PORT`, String(first.port));
  for (const { name, port } of ports) {
    if (name !== undefined && name !== '') variables.set(`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port));
  }
  const address = host.includes(':') ? `[${host}]` : host;
  for (const [at, { port, protocol = 'TCP' }] of ports.entries()) {
    const url = `${protocol.toLowerCase()}://${address}:${port}`;
    if (at === 0) variables.set(`${prefix}_PORT`, url);
    const start = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
    variables.set(start, url);
    variables.set(`${start}_PROTO`, protocol.toLowerCase());
    variables.set(`${start}_PORT`, String(port));
    variables.set(`${start}_ADDR`, host);
  }
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}
