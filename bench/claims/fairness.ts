/** Guests that want the processor, beside each other in real sandboxes: who gets how much, and how long one that waits has to wait. */
import { setTimeout } from 'node:timers/promises';
import { type Claim, type Figure, figure, quantile } from '../claim.ts';
import { type Hog, Hogs, jain } from '../hogs.ts';

const GUESTS = 100;
const WAKE_MS = 15;
const PINGS = 400;
const CROWD = 1000;
/** What fills memory, moves it, asks for it, calls the host, compiles and makes garbage, for ever. */
const MIXED: readonly Hog[] = ['fill', 'copy', 'grow', 'call', 'yield', 'recurse'];
const BESIDE: readonly Hog[] = ['compile', 'compile', 'garbage', 'garbage'];

export const fairness: Claim = {
  name: 'fairness',
  summary: `${GUESTS} guests that want the processor: shares, limits, and how soon one that waits is awake`,
  async measure({ folder, log }) {
    await using hogs = await Hogs.open(folder);
    const figures: Figure[] = [];
    for (const measured of [equalShares, besideHogs, limit, wake, wakeBesideHogs, crowd]) {
      figures.push(...(await measured(hogs)));
      log(figures.at(-1)?.claim ?? '');
    }
    return figures;
  },
};

async function equalShares(hogs: Hogs): Promise<Figure[]> {
  const tenant = hogs.fresh();
  const ids = await hogs.startAll(
    tenant,
    Array.from({ length: GUESTS }, () => 'spin'),
  );
  await setTimeout(2000);
  const { used } = await hogs.during(ids, 10_000);
  await hogs.end(tenant);
  return [jainFigure('jain', used), busyFigure(`${GUESTS} spinning guests: cores that they got`, used, 10_000)];
}

async function besideHogs(hogs: Hogs): Promise<Figure[]> {
  const tenant = hogs.fresh();
  const kinds = Array.from(
    { length: GUESTS },
    (_, at): Hog => (at % 2 === 0 ? 'spin' : (MIXED[at % MIXED.length] ?? 'spin')),
  );
  await hogs.startAll(tenant, BESIDE);
  const ids = await hogs.startAll(tenant, kinds);
  await setTimeout(3000);
  const { used } = await hogs.during(ids, 10_000);
  await hogs.end(tenant);
  return [
    jainFigure('jain with hogs of memory, growth, calls and stack among them, compile bombs and garbage beside', used),
  ];
}

function jainFigure(claim: string, used: readonly number[]): Figure {
  const index = jain(used);
  // `figure` knows upper limits: what is missing to 1.
  const held = figure({ claim, unit: '', ours: 1 - index, target: 'at least 0.98' }, { atMost: 0.02 });
  return { ...held, ours: Math.round(index * 1000) / 1000 };
}

function busyFigure(claim: string, used: readonly number[], milliseconds: number): Figure {
  const cores = used.reduce((a, b) => a + b, 0) / milliseconds / 1e6;
  return figure({ claim, unit: '', ours: cores, target: 'published' }, { atMost: Number.POSITIVE_INFINITY });
}

async function limit(hogs: Hogs): Promise<Figure[]> {
  const tenant = hogs.fresh();
  const id = await hogs.start(tenant, 'spin', { cpuMillis: 100 });
  await setTimeout(1000);
  const alone = await off(hogs, id);
  await hogs.startAll(
    tenant,
    Array.from({ length: 2 }, () => 'spin'),
  );
  await setTimeout(1000);
  const beside = await off(hogs, id);
  await hogs.end(tenant);
  const about = { unit: '%', target: 'at most 5 %' };
  return [
    figure({ ...about, claim: 'a limit of 100m, alone: off by', ours: alone }, { atMost: 5 }),
    figure({ ...about, claim: 'a limit of 100m, beside two that spin: off by', ours: beside }, { atMost: 5 }),
  ];

  async function off(from: Hogs, one: Awaited<ReturnType<Hogs['start']>>): Promise<number> {
    const { used, elapsed } = await from.during([one], 10_000);
    return Math.abs((used[0] ?? Number.NaN) / elapsed / 0.1 - 1) * 100;
  }
}

async function wake(hogs: Hogs): Promise<Figure[]> {
  const tenant = hogs.fresh();
  const echo = await hogs.echo(tenant);
  await hogs.startAll(
    tenant,
    Array.from({ length: 20 }, () => 'spin'),
  );
  return wakeFigures(hogs, tenant, echo, 'among 20 that spin');
}

async function wakeBesideHogs(hogs: Hogs): Promise<Figure[]> {
  const tenant = hogs.fresh();
  const echo = await hogs.echo(tenant);
  const kinds = Array.from({ length: 20 }, (_, at): Hog => MIXED[at % MIXED.length] ?? 'spin');
  await hogs.startAll(tenant, [...kinds, ...BESIDE]);
  return wakeFigures(
    hogs,
    tenant,
    echo,
    'among 20 hogs of memory, growth, calls and stack, compile bombs and garbage beside',
  );
}

async function wakeFigures(
  hogs: Hogs,
  tenant: string,
  { ping }: Awaited<ReturnType<Hogs['echo']>>,
  where: string,
): Promise<Figure[]> {
  await setTimeout(2000);
  await ping();
  const took: number[] = [];
  for (let at = 0; at < PINGS; at++) {
    await setTimeout(3 + (at % 11));
    took.push(await ping());
  }
  await hogs.end(tenant);
  const claim = `p99 from a byte to the answer of a guest that waits for it, ${where}`;
  return [
    figure({ claim, unit: 'ms', ours: quantile(took, 0.99), target: `at most ${WAKE_MS} ms` }, { atMost: WAKE_MS }),
  ];
}

async function crowd(hogs: Hogs): Promise<Figure[]> {
  const tenant = hogs.fresh();
  const echoes = [];
  for (let at = 0; at < CROWD; at++) echoes.push(await hogs.echo(tenant));
  await hogs.start(tenant, 'spin');
  await setTimeout(1000);
  for (const { ping } of echoes) await ping();
  const took: number[] = [];
  for (const { ping } of echoes) took.push(await ping());
  await hogs.end(tenant);
  const claim = `p99 of ${CROWD} guests that answer beside one that spins`;
  return [
    figure({ claim, unit: 'ms', ours: quantile(took, 0.99), target: `at most ${WAKE_MS} ms` }, { atMost: WAKE_MS }),
  ];
}
