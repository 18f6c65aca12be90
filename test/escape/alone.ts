/**
 * The wall of users by itself: becomes a user as a sandbox does, with neither Landlock nor seccomp before it, and tries what reaches for
 * other processes. The change of user binds the calling thread alone, so the tries come from what it executes then. Prints JSON.
 */
import { becomeUser, CAPABILITY, setNoNewPrivs } from '../../src/kit/os/mod.ts';
import { type Aim, BETWEEN_PROCESSES } from './probe.ts';

const [user = '', aim = ''] = process.argv.slice(2);
if (user === 'try') {
  const to = JSON.parse(aim) as Aim;
  const results = BETWEEN_PROCESSES.map(({ area, name, call }) => [`${area}: ${name}`, call(to)]);
  process.stdout.write(JSON.stringify(Object.fromEntries(results)));
} else {
  setNoNewPrivs();
  becomeUser({ uid: Number(user), gid: Number(user), keep: [CAPABILITY.dacOverride] });
  process.execve?.(process.execPath, [process.execPath, '--no-warnings', import.meta.filename, 'try', aim], {});
}
