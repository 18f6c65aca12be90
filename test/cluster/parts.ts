import { join } from 'node:path';
import type { ClusterPki } from './pki.ts';

export const PARTS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const;
export type PartName = (typeof PARTS)[number];

export interface PartSettings {
  readonly dir: string;
  readonly pki: ClusterPki;
  /** The host's address, which the API server is reached by. */
  readonly address: string;
  readonly serviceCIDR: string;
  readonly podCIDR: string;
  readonly kubeconfigs: { readonly controllerManager: string; readonly scheduler: string };
}

const ETCD = 'http://127.0.0.1:2379';
const ETCD_PEER = 'http://127.0.0.1:2380';
export const API_PORT = 6443;

/** The flags of each part, as kubeadm would set them, with what tests do without (fsync, leader election) left out. */
export function flagsOf(part: PartName, settings: PartSettings): string[] {
  return FLAGS[part](settings);
}

const FLAGS: Readonly<Record<PartName, (settings: PartSettings) => string[]>> = {
  etcd: ({ dir }) => [
    `--data-dir=${join(dir, 'etcd')}`,
    '--unsafe-no-fsync',
    `--listen-client-urls=${ETCD}`,
    `--advertise-client-urls=${ETCD}`,
    `--listen-peer-urls=${ETCD_PEER}`,
    `--initial-advertise-peer-urls=${ETCD_PEER}`,
    `--initial-cluster=default=${ETCD_PEER}`,
  ],
  'kube-apiserver': apiServerFlags,
  'kube-controller-manager': ({ pki, podCIDR, serviceCIDR, kubeconfigs }) => [
    `--kubeconfig=${kubeconfigs.controllerManager}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    `--cluster-signing-cert-file=${pki.ca.certificate}`,
    `--cluster-signing-key-file=${pki.ca.key}`,
    `--root-ca-file=${pki.ca.certificate}`,
    `--service-account-private-key-file=${pki.serviceAccount.key}`,
    '--use-service-account-credentials',
    '--allocate-node-cidrs',
    `--cluster-cidr=${podCIDR}`,
    `--service-cluster-ip-range=${serviceCIDR}`,
    '--controllers=*,bootstrapsigner,tokencleaner',
  ],
  'kube-scheduler': ({ kubeconfigs }) => [
    `--kubeconfig=${kubeconfigs.scheduler}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
  ],
};

function apiServerFlags({ dir, pki, address, serviceCIDR }: PartSettings): string[] {
  return [
    `--etcd-servers=${ETCD}`,
    `--secure-port=${API_PORT}`,
    `--advertise-address=${address}`,
    `--cert-dir=${join(dir, 'apiserver')}`,
    `--client-ca-file=${pki.ca.certificate}`,
    `--tls-cert-file=${pki.server.certificate}`,
    `--tls-private-key-file=${pki.server.key}`,
    `--service-account-key-file=${pki.serviceAccount.publicKey}`,
    `--service-account-signing-key-file=${pki.serviceAccount.key}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-cluster-ip-range=${serviceCIDR}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--enable-bootstrap-token-auth',
    '--allow-privileged',
    `--kubelet-client-certificate=${pki.kubeletClient.certificate}`,
    `--kubelet-client-key=${pki.kubeletClient.key}`,
    // Real clusters often leave this out; with it, logs and exec show that a node's serving certificate is right.
    `--kubelet-certificate-authority=${pki.ca.certificate}`,
    '--kubelet-preferred-address-types=InternalIP,Hostname',
    `--requestheader-client-ca-file=${pki.frontProxyCa.certificate}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-username-headers=X-Remote-User',
    `--proxy-client-cert-file=${pki.frontProxyClient.certificate}`,
    `--proxy-client-key-file=${pki.frontProxyClient.key}`,
  ];
}
