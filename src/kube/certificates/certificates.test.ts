import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { isWasmletError } from '#kit';
import {
  hasKey,
  issueCertificate,
  makeAuthority,
  makeSigningRequest,
  readCertificate,
  readSigningRequest,
  signRequest,
} from './mod.ts';

const now = Date.UTC(2026, 0, 1);
const authority = await makeAuthority({ commonName: 'wasmlet test', now, days: 3650 });

test('an authority may sign and starts five minutes back', () => {
  const facts = readCertificate(authority.cert);
  assert.equal(facts.isAuthority, true);
  assert.equal(facts.subject.commonName, 'wasmlet test');
  assert.equal(facts.notBefore, now - 300_000);
  assert.equal(facts.notAfter, now + 3650 * 86_400_000);
});

test('a client certificate carries user and groups and is signed by the authority', async () => {
  const subject = { commonName: 'system:node:edge-1', organizations: ['system:nodes', 'more'] };
  const pair = await issueCertificate({ subject, usages: ['client auth'], now, days: 1 }, authority);
  const certificate = new X509Certificate(pair.cert);
  assert.ok(certificate.verify(new X509Certificate(authority.cert).publicKey));
  assert.deepEqual(readCertificate(pair.cert).subject, subject);
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  assert.ok(hasKey(pair.cert, pair.key));
  assert.ok(!hasKey(pair.cert, authority.key));
});

test('a server certificate without an authority is signed by itself and names its addresses', async () => {
  const pair = await issueCertificate({
    subject: { commonName: 'edge-1' },
    usages: ['server auth'],
    addresses: ['127.0.0.1', '::1', 'not an address'],
    names: ['localhost'],
    now,
    days: 1,
  });
  const facts = readCertificate(pair.cert);
  assert.deepEqual(facts.addresses, ['127.0.0.1', '0:0:0:0:0:0:0:1']);
  assert.deepEqual(facts.names, ['localhost']);
  assert.equal(facts.isAuthority, false);
});

test('a request is read, signed, and its certificate fits its key', async () => {
  const subject = { commonName: 'system:node:edge-1', organizations: ['system:nodes'] };
  const { request, key } = await makeSigningRequest({ subject, addresses: ['10.0.0.4'], names: ['edge-1'] });
  assert.deepEqual(await readSigningRequest(request), {
    subject,
    addresses: ['10.0.0.4'],
    names: ['edge-1'],
    others: 0,
  });
  const cert = await signRequest({ request, usages: ['server auth'], now, days: 1 }, authority);
  assert.ok(hasKey(cert, key));
  assert.deepEqual(readCertificate(cert).addresses, ['10.0.0.4']);
});

test('asking again with the same key gives the same key', async () => {
  const subject = { commonName: 'a' };
  const first = await makeSigningRequest({ subject });
  const second = await makeSigningRequest({ subject, key: first.key });
  assert.equal(second.key, first.key);
  const cert = await signRequest({ request: second.request, usages: ['client auth'], now, days: 1 }, authority);
  assert.ok(hasKey(cert, first.key));
});

test('garbage is an error with a code, not a crash', async () => {
  for (const request of [
    '',
    'garbage',
    '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n',
  ]) {
    await assert.rejects(readSigningRequest(request), (error) => isWasmletError(error, 'KUBE_CERTIFICATE_INVALID'));
  }
  assert.throws(() => readCertificate('garbage'), /not a certificate in PEM/);
  assert.equal(hasKey('garbage', 'garbage'), false);
});

test('a request whose signature was changed is refused', async () => {
  const { request } = await makeSigningRequest({ subject: { commonName: 'system:node:a' } });
  const der = Buffer.from(request.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  await assert.rejects(readSigningRequest(forged), (error) => isWasmletError(error, 'KUBE_CERTIFICATE_INVALID'));
});
