import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatReference, parseReference, readReference, withDefaultTag } from './reference.ts';

const digest = `sha256:${'a1'.repeat(32)}`;

describe('parseReference()', () => {
  const good: Record<string, string> = {
    hello: 'docker.io/library/hello:latest',
    'hello:1.2': 'docker.io/library/hello:1.2',
    'me/hello': 'docker.io/me/hello:latest',
    'docker.io/hello': 'docker.io/library/hello:latest',
    'index.docker.io/me/hello': 'docker.io/me/hello:latest',
    'localhost/hello': 'localhost/hello:latest',
    'localhost:5000/a/b:v1': 'localhost:5000/a/b:v1',
    '127.0.0.1:5000/a__b/c-d.e': '127.0.0.1:5000/a__b/c-d.e:latest',
    '[::1]:5000/a': '[::1]:5000/a:latest',
    'Reg.Example.COM/a': 'Reg.Example.COM/a:latest',
    'Registry/a': 'Registry/a:latest',
    [`reg.example/a@${digest}`]: `reg.example/a@${digest}`,
    [`reg.example/a:v1@${digest}`]: `reg.example/a@${digest}`,
    'a:A_b.C-9': 'docker.io/library/a:A_b.C-9',
  };
  for (const [text, expected] of Object.entries(good)) {
    it(`reads ${text}`, () => assert.equal(formatReference(parseReference(text)), expected));
  }

  const bad = [
    '',
    ' ',
    'a b',
    'A',
    'a/B',
    ':v1',
    'a:',
    'a:.x',
    `a:${'x'.repeat(129)}`,
    'a//b',
    '/a',
    'a/',
    'a..b',
    'a___b',
    '-a',
    'a-',
    'https://reg.example/a',
    'reg.example:port/a',
    'reg.example:99999/a',
    'reg_x.example/a',
    '[::1/a',
    `a@${digest.slice(0, -1)}`,
    `a@sha512:${'0'.repeat(128)}`,
    'a@b',
    'a@',
    'a\n',
    'a\0',
    'é',
    `reg.example/${'a/'.repeat(200)}a`,
    'a'.repeat(2000),
    '0123456789abcdef'.repeat(4),
    '../../etc/passwd',
  ];
  for (const text of bad) {
    it(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      assert.ok('problem' in readReference(text));
      assert.throws(() => parseReference(text), { code: 'OCI_BAD_REFERENCE' });
    });
  }

  it('says which name must be lower case', () => {
    assert.deepEqual(readReference('reg.example/Team/App'), {
      problem: 'invalid reference format: repository name (Team/App) must be lowercase',
    });
  });

  it('reads hostile names in no time to speak of', () => {
    for (const part of ['a-', 'a.', 'a_', '-', 'a', '[', ':', '@', '/'])
      readReference(part.repeat(1000).slice(0, 1024));
  });
});

describe('withDefaultTag()', () => {
  it('adds the tag to the name as it was written', () => {
    assert.equal(withDefaultTag('hello', parseReference('hello')), 'hello:latest');
    assert.equal(withDefaultTag('hello:1', parseReference('hello:1')), 'hello:1');
    assert.equal(withDefaultTag(`hello@${digest}`, parseReference(`hello@${digest}`)), `hello@${digest}`);
  });
});
