import fc from 'fast-check';
import { expect, test } from 'vitest';
import { renderKubeconfig } from '../kubeconfig.ts';
import { kindConfig, parsePorts } from '../kind/kind-provider.ts';
import { extensions, subjectOf } from './certificates.ts';
import { hierarchies } from './cgroups.ts';
import { clusterCertificates } from './control-plane.ts';
import { corefile } from './dns.ts';
import { checkInstanceName, instanceAt, SLOTS } from './instance.ts';
import { podNetwork } from './network.ts';
import { containerdSettings, kubeletSettings } from './node.ts';

const instance = instanceAt('one', '/state/one', 7);

test('two slots share no interface, address or range', () => {
  const slot = fc.integer({ min: 0, max: SLOTS - 1 });
  fc.assert(
    fc.property(slot, slot, (left, right) => {
      fc.pre(left !== right);
      const names = [left, right].map((number) => {
        const { hostLink, hostAddress, nodeAddress, podCidr, serviceCidr } = instanceAt('x', '/x', number);
        return [hostLink, hostAddress, nodeAddress, podCidr, serviceCidr];
      });
      expect(new Set(names.flat()).size).toBe(10);
    }),
  );
});

test.for([-1, SLOTS, 0.5])('slot %d does not exist', (slot) => {
  expect(() => instanceAt('x', '/x', slot)).toThrow('no such slot');
});

test.for(['', 'A', '../x', 'a/b', '-a', 'a'.repeat(41)])('the instance name "%s" is refused', (name) => {
  expect(() => checkInstanceName(name)).toThrow('--instance');
});

test('the certificate of the API server holds every address that it is reached by', () => {
  const request = clusterCertificates(instance).find(({ name }) => name === 'api-server');
  if (request === undefined) throw new Error('no certificate of the API server');
  const text = extensions(request);
  for (const name of ['IP:198.18.7.2', 'IP:198.18.107.1', 'IP:127.0.0.1', 'DNS:kubernetes.default.svc']) {
    expect(text).toContain(name);
  }
});

test('the group of a certificate comes before its name', () => {
  expect(subjectOf({ name: 'x', commonName: 'system:node:n', organization: 'system:nodes' })).toBe(
    '/O=system:nodes/CN=system:node:n',
  );
});

test('kubelet puts pods below the cgroup of its instance only', () => {
  expect(kubeletSettings(instance, '/matrix-operator/one')).toMatchObject({ cgroupRoot: '/matrix-operator/one' });
});

test('pods get addresses of the slot and no masquerading', () => {
  const network = JSON.stringify(podNetwork(instance));
  expect(network).toContain('198.19.7.0/24');
  expect(network).toContain('"ipMasq":false');
});

test('containerd keeps everything in the folder of its instance or in the memory of its node', () => {
  const paths = [...containerdSettings(instance, '/plugins').matchAll(/"(\/[^"]*)"/g)].map((match) => match[1] ?? '');
  expect(paths.filter((path) => !/^\/(state\/one|run\/containerd|plugins)/.test(path))).toEqual([]);
});

test('DNS answers on the address of the node only', () => {
  const bound = [...corefile(instance).matchAll(/bind (.*)/g)].map((match) => match[1]);
  expect(bound).toEqual(['198.18.7.2', '198.18.7.2']);
});

test('a kubeconfig names no other file', () => {
  const credential = { ca: 'CA', cert: 'CERT', key: 'KEY' };
  const text = renderKubeconfig({ name: 'one', server: 'https://198.18.7.2:6443', credential });
  expect(text).toContain(`client-key-data: ${Buffer.from('KEY').toString('base64')}`);
  expect(text).not.toMatch(/certificate-authority: |client-key: /);
});

test('cgroup folders are found in both versions, once each', () => {
  const mountinfo = [
    '30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup memory rw,memory',
    '31 20 0:27 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw',
    '32 20 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw',
    '33 20 0:26 / /sys/fs/cgroup/memory rw - cgroup memory rw,memory',
  ].join('\n');
  expect(hierarchies(mountinfo)).toEqual(['/sys/fs/cgroup/memory', '/sys/fs/cgroup/unified']);
});

test('every port of kind is published on the loopback address', () => {
  const mappings = JSON.stringify(kindConfig()).match(/"listenAddress":"127\.0\.0\.1"/g);
  expect(mappings).toHaveLength(JSON.stringify(kindConfig()).match(/"containerPort"/g)?.length ?? 0);
});

test("docker's words about ports are read", () => {
  const told = '6443/tcp -> 127.0.0.1:33333\n30080/tcp -> 127.0.0.1:49153\n30081/tcp -> [::1]:49154\n';
  expect([...parsePorts(told)]).toEqual([
    [6443, 33333],
    [30080, 49153],
    [30081, 49154],
  ]);
});
