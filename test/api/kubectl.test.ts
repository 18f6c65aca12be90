/** Stock kubectl against the embedded API, command by command, as a person uses it. No pod runs here: there is no node. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Ask, asker, kubectls } from './kubectl.ts';
import { startTestServer, type TestServer } from './server.ts';

const NAMESPACE = 'people';

function manifest(object: object): string {
  return JSON.stringify(object);
}

function pod(name: string, spec: object = {}, metadata: object = {}): string {
  const containers = [{ name: 'main', image: 'registry.example/app:1', ports: [{ containerPort: 80 }] }];
  return manifest({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec: { containers, schedulerName: 'nobody', ...spec },
  });
}

function configMap(name: string, data: object): string {
  return manifest({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
}

const READY = JSON.stringify({
  status: {
    phase: 'Running',
    podIP: '127.42.0.9',
    podIPs: [{ ip: '127.42.0.9' }],
    conditions: [{ type: 'Ready', status: 'True' }],
  },
});

for (const kubectl of kubectls()) {
  describe(`kubectl ${kubectl.version}`, () => {
    let server: TestServer;
    let ask: Ask;

    async function out(line: string, input?: string): Promise<string> {
      const { stdout } = await ask(line, input === undefined ? {} : { input });
      return stdout.trim();
    }

    async function refused(line: string, input?: string): Promise<string> {
      const { code, stderr } = await ask(line, { accept: 'any', ...(input === undefined ? {} : { input }) });
      assert.notEqual(code, 0, `it was accepted: ${line}`);
      return stderr.trim();
    }

    before(async () => {
      server = await startTestServer();
      ask = await asker(kubectl, server, { namespace: NAMESPACE });
      await ask(`create namespace ${NAMESPACE}`);
      await ask('wait --for=create serviceaccount/default --timeout=10s');
      await ask('create -f -', { input: pod('first', {}, { labels: { app: 'a' } }) });
    });

    after(async () => await server[Symbol.asyncDispose]());

    it('gets tables, wide and by label', async () => {
      assert.match(await out('get pods'), /^NAME +READY +STATUS +RESTARTS +AGE\nfirst +0\/1 +Pending +0 +\d+s$/);
      assert.match(await out('get pods -o wide'), /NOMINATED NODE +READINESS GATES\nfirst/);
      assert.match(await out('get pods --show-labels -l app=a'), /app=a$/);
      assert.match(await out('get pods -A'), /^NAMESPACE +NAME/);
      assert.match(await out('get all'), /^NAME .*\nfirst/);
      assert.match((await ask('get pods -l app=b')).stderr, /No resources found in people namespace/);
    });

    it('gets objects as yaml, json, names, by path, columns and template', async () => {
      assert.match(await out('get pod first -o yaml'), /^apiVersion: v1\nkind: Pod\n/);
      assert.equal(JSON.parse(await out('get pods -o json')).items.length, 1);
      assert.equal(await out('get pods -o name'), 'pod/first');
      assert.equal(await out("get pod first -o 'jsonpath={.spec.containers[*].image}'"), 'registry.example/app:1');
      assert.match(await out('get pods -o custom-columns=N:.metadata.name,P:.status.phase'), /first +Pending/);
      assert.equal(await out("get pod first -o 'go-template={{.metadata.name}}'"), 'first');
      assert.match(await out('get pods --sort-by=.metadata.name'), /first/);
      assert.match(await out('get pods --field-selector=metadata.name=first,status.phase=Pending'), /first/);
      assert.match(await out('get ns,cm,secrets,sa,nodes,leases,runtimeclasses,csr -A'), /namespace\/people/);
    });

    it('describes pods, namespaces and config maps', async () => {
      assert.match(
        await out('describe pod first'),
        /^Name: +first\nNamespace: +people\n[\s\S]*Image: +registry\.example\/app:1/,
      );
      assert.match(await out('describe namespace people'), /Status: +Active/);
      assert.match(await out('describe configmap kube-root-ca.crt'), /BEGIN CERTIFICATE/);
    });

    it('applies from the client: created, configured, unchanged, removed keys', async () => {
      assert.equal(await out('apply -f -', configMap('csa', { a: '1', b: '2' })), 'configmap/csa created');
      assert.equal(await out('apply -f -', configMap('csa', { a: '1', b: '2' })), 'configmap/csa unchanged');
      assert.equal(await out('apply -f -', configMap('csa', { a: '3' })), 'configmap/csa configured');
      assert.deepEqual(JSON.parse(await out("get configmap csa -o 'jsonpath={.data}'")), { a: '3' });
      assert.match(await out('apply view-last-applied configmap/csa'), /a: "3"/);
    });

    it('applies from the server: conflicts, force, taking over what the client applied', async () => {
      assert.equal(
        await out('apply --server-side -f -', configMap('csa', { a: '4' })),
        'configmap/csa serverside-applied',
      );
      const conflict = await refused('apply --server-side --field-manager=x -f -', configMap('csa', { a: '5' }));
      assert.match(conflict, /Apply failed with 1 conflict: conflict with "kubectl": \.data\.a/);
      await ask('apply --server-side --field-manager=x --force-conflicts -f -', {
        input: configMap('csa', { a: '5' }),
      });
      assert.match(await out('get configmap csa -o yaml --show-managed-fields'), /manager: x\n\s+operation: Apply/);
    });

    it('forgets who set what when it is asked to', async () => {
      await ask('create configmap forgotten --from-literal=a=1');
      await ask(`patch configmap forgotten --type=merge -p '{"metadata":{"managedFields":[{}]}}'`);
      assert.doesNotMatch(await out('get configmap forgotten -o yaml --show-managed-fields'), /managedFields/);
    });

    it('shows what would change, and changes nothing', async () => {
      const { code, stdout } = await ask('diff -f -', { input: configMap('csa', { a: '9' }), accept: [1] });
      assert.equal(code, 1);
      assert.match(stdout, /\+ {2}a: "9"/);
      assert.equal(
        await out('create -f - --dry-run=server', configMap('never', {})),
        'configmap/never created (server dry run)',
      );
      assert.match(await out('apply -f - --dry-run=server -o yaml', configMap('never', { z: '1' })), /uid:/);
      assert.match(await refused('get configmap never'), /NotFound/);
    });

    it('creates what people create', async () => {
      assert.equal(await out('create configmap made --from-literal=a=1'), 'configmap/made created');
      assert.equal(await out('create secret generic made --from-literal=a=1'), 'secret/made created');
      assert.equal(await out('create serviceaccount made'), 'serviceaccount/made created');
      assert.match(await out('create token made'), /^ey[\w-]+\.[\w-]+\.[\w-]+$/);
      assert.equal(await out('run quick --image=registry.example/app:1 --restart=Never'), 'pod/quick created');
      assert.match(await refused('create configmap made'), /configmaps "made" already exists/);
    });

    it('refuses in the words of the real server', async () => {
      assert.match(
        await refused('create -f -', pod('x', { containers: [{ name: 'a', image: 'b', bogus: 1 }] })),
        /strict decoding error: unknown field "spec\.containers\[0\]\.bogus"/,
      );
      assert.match(
        await refused('create -f -', pod('X')),
        /The Pod "X" is invalid: metadata\.name: Invalid value: "X": a lowercase RFC 1123 subdomain/,
      );
      assert.match(
        await refused('create -f -', pod('x', { containers: [{ name: 'a' }] })),
        /spec\.containers\[0\]\.image: Required value/,
      );
      assert.match(await refused('get pod none'), /Error from server \(NotFound\): pods "none" not found/);
      assert.match(await refused('get nothings'), /the server doesn't have a resource type "nothings"/);
      const { stderr } = await ask('apply --validate=warn -f -', {
        input: manifest({ ...JSON.parse(configMap('warned', {})), foo: 1 }),
      });
      assert.match(stderr, /unknown field "foo"/);
    });

    it('patches in all four ways', async () => {
      await ask('create configmap patched --from-literal=a=1');
      assert.equal(
        await out(`patch configmap patched --type=json -p '[{"op":"add","path":"/data/b","value":"2"}]'`),
        'configmap/patched patched',
      );
      assert.equal(
        await out(`patch configmap patched --type=merge -p '{"data":{"a":null,"c":"3"}}'`),
        'configmap/patched patched',
      );
      assert.equal(await out(`patch configmap patched -p '{"data":{"d":"4"}}'`), 'configmap/patched patched');
      assert.equal(
        await out(`patch configmap patched -p '{"data":{"d":"4"}}'`),
        'configmap/patched patched (no change)',
      );
      assert.deepEqual(JSON.parse(await out("get configmap patched -o 'jsonpath={.data}'")), {
        b: '2',
        c: '3',
        d: '4',
      });
      await ask('set image pod/first main=registry.example/app:2');
      assert.equal(await out("get pod first -o 'jsonpath={.spec.containers[0].image}'"), 'registry.example/app:2');
      assert.match(
        await refused(`patch pod first -p '{"spec":{"hostname":"x"}}'`),
        /pod updates may not change fields other than/,
      );
    });

    it('labels, annotates, replaces and edits', async () => {
      assert.equal(await out('label pod first tier=one'), 'pod/first labeled');
      assert.match(await refused('label pod first tier=two'), /already has a value/);
      assert.equal(await out('label pod first tier-'), 'pod/first unlabeled');
      assert.equal(await out('annotate pod first note=x'), 'pod/first annotated');
      assert.equal(await out('replace -f -', configMap('made', { z: '1' })), 'configmap/made replaced');
      const { stdout } = await ask('edit configmap made', { env: { KUBE_EDITOR: 'sed -i s/z:/changed:/' } });
      assert.match(stdout, /configmap\/made edited/);
      assert.equal(await out("get configmap made -o 'jsonpath={.data.changed}'"), '1');
    });

    it('waits for a condition that comes, and for a deletion', async () => {
      await ask('create -f -', { input: pod('waited') });
      const waiting = ask('wait --for=condition=Ready pod/waited --timeout=20s');
      await ask(`patch pod waited --subresource=status --type=merge -p '${READY}'`);
      assert.match((await waiting).stdout, /pod\/waited condition met/);
      assert.match(await out('get pod waited'), /Running/);
      const gone = ask('wait --for=delete pod/waited --timeout=20s');
      await ask('delete pod waited --grace-period=0 --force');
      assert.equal((await gone).code, 0);
      assert.match(await refused('wait --for=condition=Ready pod/first --timeout=1s'), /timed out waiting/);
    });

    it('watches until it is told to end', async () => {
      const { stdout } = await ask('get configmaps --watch --request-timeout=2s -o name', { accept: 'any' });
      assert.match(stdout, /configmap\/made/);
    });

    it('deletes: one, many, by label, with finalizers, all at once', async () => {
      await ask('create -f -', {
        input: pod('kept', {}, { finalizers: ['example.com/keep'], labels: { group: 'g' } }),
      });
      await ask('delete pod kept --wait=false');
      assert.match(await out('get pod kept'), /Terminating/);
      await ask(`patch pod kept --type=merge -p '{"metadata":{"finalizers":null}}'`);
      assert.match(await refused('get pod kept'), /NotFound/);
      await ask('create configmap one');
      await ask('create configmap two');
      assert.match(await out('delete configmap one two'), /"one" deleted[\s\S]*"two" deleted/);
      await ask('label configmap made group=g');
      assert.match(await out('delete configmaps -l group=g --cascade=foreground'), /"made" deleted/);
      assert.equal((await ask('delete configmap none --ignore-not-found')).stdout, '');
    });

    it('deletes a namespace with what is in it', async () => {
      await ask('create namespace doomed');
      await ask('create configmap inside -n doomed');
      assert.match(await out('delete namespace doomed --timeout=20s'), /namespace "doomed" deleted/);
      assert.match(await refused('get configmap inside -n doomed'), /NotFound/);
    });

    it('tells of events', async () => {
      const event = {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'e1' },
        involvedObject: { kind: 'Pod', name: 'first', namespace: NAMESPACE, apiVersion: 'v1' },
        reason: 'Tested',
        message: 'said so',
        type: 'Warning',
        lastTimestamp: new Date().toISOString().replace(/\.\d+/, ''),
        count: 2,
        source: { component: 'test' },
      };
      await ask('create -f -', { input: manifest(event) });
      assert.match(await out('get events'), /Warning +Tested +pod\/first +said so/);
      assert.match(await out('events --for pod/first'), /Warning +Tested +Pod\/first +said so/);
    });

    it('explains, lists what there is, and says who may', async () => {
      assert.match(
        await out('explain pod.spec.restartPolicy'),
        /FIELD: restartPolicy <string>[\s\S]*Restart policy for all containers/,
      );
      assert.match(await out('explain pods --recursive'), /terminationGracePeriodSeconds/);
      const resources = await out('api-resources');
      for (const kind of ['configmaps', 'pods', 'leases', 'runtimeclasses', 'certificatesigningrequests'])
        assert.match(resources, new RegExp(kind));
      assert.match(await out('api-versions'), /coordination\.k8s\.io\/v1/);
      assert.equal(await out('auth can-i create pods'), 'yes');
      assert.match(await out('auth whoami'), /Username +\S+/);
      assert.match(await out('version'), /Server Version: v1\.\d+/);
      assert.match(await out('auth can-i --list'), /^Resources +Non-Resource URLs/);
      assert.equal(await out('get --raw /readyz'), 'ok');
    });

    it('applies a List, whose items it checks by the OpenAPI v2 document', async () => {
      const list = (extra: object): string =>
        manifest({
          apiVersion: 'v1',
          kind: 'List',
          items: ['l1', 'l2'].map((name) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...extra })),
        });
      assert.equal(await out('apply -f -', list({})), 'configmap/l1 created\nconfigmap/l2 created');
      assert.match(await out('apply --server-side --force-conflicts -f -', list({})), /l2 serverside-applied/);
      assert.match(await refused('apply -f -', list({ bogus: 1 })), /unknown field "bogus" in io.k8s.api.core.v1/);
    });

    it('manages nodes and certificate requests', async () => {
      await ask('create -f -', { input: manifest({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } }) });
      assert.match(await out('get nodes'), /n1 +(Unknown|NotReady)/);
      assert.equal(await out('cordon n1'), 'node/n1 cordoned');
      assert.match(await out('get nodes'), /SchedulingDisabled/);
      assert.equal(await out('taint node n1 a=b:NoSchedule'), 'node/n1 tainted');
      assert.match(await out('describe node n1'), /Taints: +[\s\S]*a=b:NoSchedule/);
      assert.match(await out('delete node n1'), /node "n1" deleted/);
      assert.equal(await out('logs first'), '', 'a pod without a node has no log');
      assert.match(await refused('logs none'), /NotFound/);
    });
  });
}
