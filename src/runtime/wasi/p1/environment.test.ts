import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FakeClock } from '#kit';
import { wasiClockFrom } from '../core/clocks.ts';
import { ERRNO } from '../core/errno.ts';
import { FakeGuest, GuestEnded } from './fake-guest.ts';

const PAST_THE_END = 0xffff_fff0;

/** Calls `get` with room for what `sizes` says, and reads the strings back. */
async function strings(guest: FakeGuest, names: { sizes: string; get: string }): Promise<string[]> {
  const sizes = guest.space(8);
  assert.equal(await guest.call(names.sizes, sizes, sizes + 4), 0);
  const count = guest.memory.u32(sizes);
  const pointers = guest.space(count * 4);
  const bytes = guest.space(guest.memory.u32(sizes + 4));
  assert.equal(await guest.call(names.get, pointers, bytes), 0);
  const ends = [
    ...Array.from({ length: count }, (_, at) => guest.memory.u32(pointers + at * 4)),
    bytes + guest.memory.u32(sizes + 4),
  ];
  return ends.slice(0, -1).map((start, at) => guest.text(start, (ends[at + 1] ?? 0) - start));
}

describe('arguments and environment', () => {
  it('args_get gives each argument with a NUL behind, also empty and long ones', async () => {
    await using guest = new FakeGuest({ args: ['program', '', 'ä b'] });
    assert.deepEqual(await strings(guest, { sizes: 'args_sizes_get', get: 'args_get' }), ['program\0', '\0', 'ä b\0']);
    assert.equal(await guest.call('args_get', PAST_THE_END, 0), ERRNO.FAULT);
    assert.equal(await guest.call('args_sizes_get', PAST_THE_END, 0), ERRNO.FAULT);
  });

  it('environ_get gives NAME=value, and what guests need to find listeners and directory', async () => {
    await using guest = new FakeGuest({ env: [['A', 'b=c']], workingDir: '/work' });
    const names = { sizes: 'environ_sizes_get', get: 'environ_get' };
    assert.deepEqual(await strings(guest, names), ['A=b=c\0', 'PWD=/work\0']);
    assert.equal(await guest.call('environ_get', 0, PAST_THE_END), ERRNO.FAULT);
    assert.equal(await guest.call('environ_sizes_get', 0, PAST_THE_END), ERRNO.FAULT);
  });

  it('keeps a variable of the caller before its own', async () => {
    await using guest = new FakeGuest({ env: [['PWD', '/mine']], workingDir: '/work' });
    assert.deepEqual(await strings(guest, { sizes: 'environ_sizes_get', get: 'environ_get' }), ['PWD=/mine\0']);
  });

  it('refuses a NUL in an argument, which would cut it for the guest', () => {
    assert.throws(() => new FakeGuest({ args: ['a\0b'] }), { code: 'WASI_BAD_OPTION' });
  });
});

describe('clocks', () => {
  it('clock_time_get tells the injected time; CPU clocks are refused', async () => {
    const clock = new FakeClock(Date.UTC(2026, 0, 1));
    await using guest = new FakeGuest({ clock: wasiClockFrom(clock) });
    const result = guest.space(8);
    assert.equal(await guest.call('clock_time_get', 0, 0n, result), 0);
    assert.equal(guest.memory.u64(result), BigInt(Date.UTC(2026, 0, 1)) * 1_000_000n);
    assert.equal(await guest.call('clock_time_get', 1, 0n, result), 0);
    assert.equal(await guest.call('clock_time_get', 2, 0n, result), ERRNO.BADF);
    assert.equal(await guest.call('clock_time_get', 9, 0n, result), ERRNO.INVAL);
    assert.equal(await guest.call('clock_time_get', 0, 0n, PAST_THE_END), ERRNO.FAULT);
  });

  it('clock_res_get says a resolution for the clocks that there are', async () => {
    await using guest = new FakeGuest();
    const result = guest.space(8);
    assert.equal(await guest.call('clock_res_get', 1, result), 0);
    assert.ok(guest.memory.u64(result) > 0n);
    assert.equal(await guest.call('clock_res_get', 3, result), ERRNO.BADF);
  });

  it('the system clock goes forward and knows the year', async () => {
    await using guest = new FakeGuest();
    const result = guest.space(8);
    await guest.call('clock_time_get', 1, 0n, result);
    const first = guest.memory.u64(result);
    await guest.call('clock_time_get', 1, 0n, result);
    assert.ok(guest.memory.u64(result) >= first);
    await guest.call('clock_time_get', 0, 0n, result);
    assert.ok(guest.memory.u64(result) > BigInt(Date.UTC(2024, 0, 1)) * 1_000_000n);
  });
});

describe('randomness and the end', () => {
  it('random_get fills small, pooled and large requests, and only those bytes', async () => {
    await using guest = new FakeGuest();
    for (const size of [1, 100, 5000, 100_000]) {
      const pointer = guest.space(size + 1);
      assert.equal(await guest.call('random_get', pointer, size), 0);
      assert.equal(guest.memory.u8(pointer + size), 0);
      if (size >= 100) assert.ok(guest.memory.bytes(pointer, size).some((byte) => byte !== 0));
    }
    assert.equal(await guest.call('random_get', PAST_THE_END, 100), ERRNO.FAULT);
  });

  it('random_get takes the injected source', async () => {
    await using guest = new FakeGuest({ random: (bytes) => bytes.fill(7) });
    const pointer = guest.space(4);
    await guest.call('random_get', pointer, 4);
    assert.deepEqual([...guest.memory.bytes(pointer, 4)], [7, 7, 7, 7]);
  });

  it('proc_exit ends the guest with its code, proc_raise as a trap', async () => {
    await using guest = new FakeGuest();
    await assert.rejects(guest.call('proc_exit', 3), new GuestEnded(3));
    await assert.rejects(guest.call('proc_raise', 9), /signal 9/);
  });

  it('sched_yield lets others run', async () => {
    await using guest = new FakeGuest();
    let ran = false;
    setImmediate(() => {
      ran = true;
    });
    assert.equal(await guest.call('sched_yield'), 0);
    assert.ok(ran);
  });
});
